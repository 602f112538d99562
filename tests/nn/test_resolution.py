"""Points and their width at any size of image."""

from itertools import pairwise

import pytest

from fractalgan.limits import MAX_SIZES
from fractalgan.nn.resolution import Resolution, points_for, scaled, tau_for

SIZES = [16, 28, 32, 33, 64, 128, 512, 1024]


def test_at_32_pixels_an_image_has_300_points_of_width_1() -> None:
    assert Resolution.of(32) == (32, 300, 1.0)


def test_points_grow_with_the_area_up_to_the_limit() -> None:
    assert [points_for(size) for size in (16, 64, 128)] == [75, 1200, 4800]
    assert points_for(1) == 1
    assert points_for(1024) == MAX_SIZES["num_points"]


def test_width_does_not_shrink_below_32_pixels_and_grows_slower_than_the_area() -> None:
    assert tau_for(8) == tau_for(32) == 1
    for smaller, larger in pairwise(SIZES[2:]):
        assert tau_for(smaller) < tau_for(larger) < tau_for(smaller) * (larger / smaller) ** 2


@pytest.mark.parametrize("size", SIZES)
def test_scaling_the_default_gives_the_default_of_the_other_size(size: int) -> None:
    num_points, tau = scaled(300, 1.0, 32, size)
    assert (num_points, tau) == (points_for(size), pytest.approx(tau_for(size)))


@pytest.mark.parametrize("size", SIZES)
def test_scaling_to_the_same_size_changes_nothing(size: int) -> None:
    assert scaled(1234, 0.7, size, size) == (1234, 0.7)


def test_scaling_keeps_what_differs_from_the_default() -> None:
    assert Resolution(32, 600, 0.25).at(64) == (64, 2400, pytest.approx(0.25 * tau_for(64)))


def test_explicit_values_win() -> None:
    assert Resolution.of(64, num_points=10) == (64, 10, tau_for(64))
    assert Resolution.of(64, tau=3.0) == (64, 1200, 3.0)
