"""The numbers that a set of fractals stores."""

import pytest
import torch

from fractalgan.nn import FractalEmbedding, FractalGenerator, Labels, MatricesForm
from fractalgan.ops import Features, anderson_farrell, random_features
from fractalgan.storage import fractals_per_class, numbers_per_fractal, stored_numbers

SETTINGS = 7  # size, points, window, tau, jitter, probabilities, sequences


def generator(count: int, transforms: int, features: int = 0, blend: float = 0.0) -> FractalGenerator:
    drawn = anderson_farrell(count, transforms)
    given = random_features(drawn.b, features)
    given = Features(given.values, torch.full_like(given.blend, blend), given.background)
    return FractalGenerator(FractalEmbedding(drawn, features=given if features else None))


@pytest.mark.parametrize("form", ["raw", "sigmoid"])
def test_a_transform_is_six_numbers_however_it_is_learned(form: MatricesForm) -> None:
    embedding = FractalEmbedding(anderson_farrell(3, 10), form)
    assert stored_numbers(FractalGenerator(embedding).to_file()) == 3 * 60 + SETTINGS
    embedding.label_(Labels(torch.tensor([0, 1, 1]), ("cat", "dog")))
    assert stored_numbers(FractalGenerator(embedding).to_file()) == 3 * 60 + SETTINGS


@pytest.mark.parametrize(
    ("features", "blend", "expected"),
    [(1, 0.0, 60 + 10 + 1), (1, 0.5, 60 + 10 + 10 + 1), (3, 0.0, 60 + 30 + 3), (3, 0.2, 60 + 30 + 10 + 3)],
)
def test_features_blend_and_background_count(features: int, blend: float, expected: int) -> None:
    content = generator(2, 10, features, blend).to_file()
    assert stored_numbers(content) == 2 * expected + SETTINGS
    assert numbers_per_fractal(10, features, blended=blend > 0) == expected


def test_width_of_points_counts_where_each_fractal_has_its_own() -> None:
    drawn = generator(4, 5)
    drawn.embedding.relative_tau = torch.tensor([1.0, 2.0, 1.0, 0.5])
    assert stored_numbers(drawn.to_file()) == 4 * (30 + 1) + SETTINGS
    assert numbers_per_fractal(5, own_tau=True) == 31


@pytest.mark.parametrize(
    ("pixels", "images", "per_fractal", "expected"),
    [
        (784, 1, numbers_per_fractal(10), 13),
        (784, 1, numbers_per_fractal(5), 26),
        (784, 1, numbers_per_fractal(10, 1), 11),
        (784, 10, numbers_per_fractal(10), 130),
        (784, 1, numbers_per_fractal(10, own_tau=True), 12),
        (64, 1, numbers_per_fractal(10), 1),
        (64, 1, numbers_per_fractal(10, 1), 0),
        (30, 1, numbers_per_fractal(5), 0),  # the settings of the set do not fit
    ],
)
def test_as_many_fractals_as_the_images_have_numbers(
    pixels: int, images: int, per_fractal: int, expected: int
) -> None:
    available = 10 * images * pixels
    found = fractals_per_class(available, 10, per_fractal)
    assert found == expected
    assert 10 * (found + 1) * per_fractal + SETTINGS > available
    assert found == 0 or 10 * found * per_fractal + SETTINGS <= available
