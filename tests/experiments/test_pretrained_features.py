"""How an experiment draws the fractals that it compares."""

import pytest

from fractalgan.errors import InputError
from fractalgan.experiments import Comparison, ComparisonPlan, Recipe
from fractalgan.experiments.pretrained_features import BackboneOptions
from fractalgan.nn import FractalGenerator


def test_jitter_is_that_of_both_sources_and_points_are_those_of_random_fractals() -> None:
    drawing = {"jitter": 0.2, "num_points": 50, "window": 1.2, "tau": 2.0, "images_per_class": 3}
    options = BackboneOptions(100, {"size": 32}, {}, drawing, Recipe(1, {}), steps=1, every=1, trainer={})
    random, learned = (options.fractal_data(source, seed=0).generator for source in ("random", "digits"))
    own = FractalGenerator.from_pretrained("digits")
    assert random.jitter == learned.jitter == 0.2
    assert (random.num_points, random.window, random.tau) == (50, 1.2, 2.0)
    assert (learned.num_points, learned.window, learned.tau) == (own.num_points, own.window, own.tau)


def test_random_fractals_have_colors_where_the_real_images_do() -> None:
    def channels(of_real: int, **drawing: int) -> int:
        options = BackboneOptions(3, {"size": 32}, {}, drawing, Recipe(1, {}), steps=1, every=1, trainer={})
        return options.fractal_data("random", 0, of_real).generator.channels

    assert (channels(1), channels(3), channels(3, features=1)) == (1, 3, 1)


def test_learned_fractals_for_images_of_another_kind_are_an_error() -> None:
    comparison = Comparison(
        ComparisonPlan(learned="digits"), {"name": "digits", "size": 32, "channels": 3}, {}, {}, Recipe(1, {})
    )
    with pytest.raises(InputError, match="in color, but the fractals of digits draw images in grayscale"):
        comparison.check()
