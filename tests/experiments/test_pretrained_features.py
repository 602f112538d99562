"""How an experiment draws the fractals that it compares."""

from fractalgan.experiments.pretrained_features import BackboneOptions
from fractalgan.nn import FractalGenerator


def test_jitter_is_that_of_both_sources_and_points_are_those_of_random_fractals() -> None:
    drawing = {"jitter": 0.2, "num_points": 50, "window": 1.2, "tau": 2.0, "images_per_class": 3}
    options = BackboneOptions(100, {"size": 32}, {}, drawing, steps=1, every=1)
    random, learned = (options.fractal_data(source, seed=0).generator for source in ("random", "digits"))
    own = FractalGenerator.from_pretrained("digits")
    assert random.jitter == learned.jitter == 0.2
    assert (random.num_points, random.window, random.tau) == (50, 1.2, 2.0)
    assert (learned.num_points, learned.window, learned.tau) == (own.num_points, own.window, own.tau)
