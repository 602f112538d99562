"""Points and their width at any size of image."""

import math
from itertools import pairwise

import pytest

from fractalgan.limits import MAX_SIZES
from fractalgan.nn.resolution import (
    CHAIN_LENGTH,
    Resolution,
    chains_for,
    points_for,
    points_to_cover,
    scaled,
    tau_for,
)

SIZES = [16, 28, 32, 33, 64, 128, 512, 1024]


def test_at_32_pixels_an_image_has_300_points_of_width_1() -> None:
    assert Resolution.of(32) == (32, 300, 1.0)


def test_points_grow_with_the_area_up_to_the_limit() -> None:
    assert [points_for(size) for size in (16, 64, 128)] == [75, 1200, 4800]
    assert points_for(1) == 1
    assert points_for(10_000) == MAX_SIZES["num_points"]


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


def test_another_width_keeps_the_area_that_points_cover() -> None:
    wide = Resolution(128, 4000, 0.5).at_tau(8.0)
    assert wide == (128, 250, 8.0)
    assert wide.at_tau(0.5) == (128, 4000, 0.5)


def test_points_cover_an_area_as_often_as_wanted() -> None:
    assert points_to_cover(100 * math.pi, 0.5, 3.0) == 600
    many = points_to_cover(1e4, 0.15, 3.0)
    assert many == pytest.approx(3e4 / (math.pi * 0.15), abs=128)
    assert many % 256 == 0
    assert points_to_cover(1e9, 1e-4, 100.0) == MAX_SIZES["num_points"]
    assert points_to_cover(1e-9, 1.0, 1.0) == 1


@pytest.mark.parametrize(
    "num_points", [1, 300, CHAIN_LENGTH, 2 * CHAIN_LENGTH, 3 * CHAIN_LENGTH + 256, 16411]
)
def test_chains_divide_the_points_and_are_long(num_points: int) -> None:
    chains = chains_for(num_points)
    assert num_points % chains == 0
    assert chains == 1 or num_points // chains >= CHAIN_LENGTH
    assert chains_for(2 * CHAIN_LENGTH) == 2
