"""Augmentation: cases with a known result, torchvision's numbers, and random numbers that ranks share."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from fractalgan.errors import InputError
from fractalgan.nn import Augmentation
from fractalgan.nn.augmentation import affine_matrices, squares, warp
from fractalgan.randomness import RandomSource, RankShard, generator_for

NOTHING = {"rotation": 0.0, "shift": 0.0, "scale": 0.0, "shear": 0.0}


def source(seed: int = 0, shard: RankShard | None = None) -> RandomSource:
    return RandomSource(generator_for(seed), shard or RankShard())


def matrices(
    number: int,
    rotation: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
    shear: float = 0.0,
) -> Tensor:
    """The same for each of ``number`` images; angles in degrees."""
    return affine_matrices(
        torch.full((number,), math.radians(rotation)),
        torch.tensor([shift] * number),
        torch.full((number,), scale),
        torch.full((number,), math.radians(shear)),
    )


def on_black(number: int = 3, channels: int = 1, size: int = 16) -> Tensor:
    """Random images with an outline of 0."""
    images = torch.zeros(number, channels, size, size)
    images[..., 1:-1, 1:-1] = torch.rand(number, channels, size - 2, size - 2)
    return images


def test_parameters_of_the_identity_change_nothing() -> None:
    images = torch.rand(5, 3, 16, 16)
    assert Augmentation(**NOTHING)(images, source()).equal(images)
    torch.testing.assert_close(warp(images, matrices(5)), images, rtol=0, atol=1e-5)


def test_quarter_turns_are_those_of_rot90() -> None:
    images = torch.rand(3, 2, 15, 15)
    for turns in (1, 2, 3):
        turned = warp(images, matrices(3, rotation=90.0 * turns))
        torch.testing.assert_close(turned, images.rot90(-turns, (2, 3)), rtol=0, atol=1e-4)  # clockwise


def test_shifts_by_whole_pixels_move_pixels() -> None:
    images = torch.rand(3, 1, 16, 16)
    moved = warp(images, matrices(3, shift=(2 / 16, -3 / 16)))
    torch.testing.assert_close(moved[..., 2:, :-3], images[..., :-2, 3:], rtol=0, atol=1e-5)
    assert moved[..., :2, :].abs().max() < 1e-5
    assert moved[..., -3:].abs().max() < 1e-5


@pytest.mark.parametrize(("degrees", "scale", "shear"), [(17.0, 1.2, 11.0), (-40.0, 0.7, -25.0)])
def test_all_together_are_those_of_torchvision(degrees: float, scale: float, shear: float) -> None:
    images = torch.rand(2, 3, 20, 20)
    expected = affine(images, degrees, [-1.0, 2.0], scale, [shear, 0.0], InterpolationMode.BILINEAR)  # type: ignore[arg-type]
    found = warp(images, matrices(2, degrees, (0.1, -0.05), scale, shear))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_each_image_changes_by_itself_within_the_limits() -> None:
    dot = torch.zeros(200, 1, 33, 33)
    dot[..., 16, 16] = 1.0
    moved = Augmentation(**NOTHING | {"shift": 4 / 33})(dot, source())
    places = torch.arange(33.0)
    centers = torch.stack([(moved.sum((1, 3)) * places).sum(1), (moved.sum((1, 2)) * places).sum(1)], 1) - 16
    assert centers.abs().max() <= 4 + 1e-3
    assert (centers.amax(0) > 3.5).all()
    assert (centers.amin(0) < -3.5).all()
    assert len({tuple(each) for each in centers.tolist()}) == 200


def test_images_that_share_numbers_change_alike_and_differ_in_noise() -> None:
    image = torch.zeros(1, 1, 24, 24)
    image[..., 4:15, 6:12] = 1.0
    augmentation = Augmentation(flip=True, cutout=0.3)
    numbers = augmentation.numbers(1, source())
    changed = augmentation(image.repeat(5, 1, 1, 1), source(), numbers)
    single = augmentation(image, source())  # which draws the same numbers
    torch.testing.assert_close(changed, single.expand_as(changed), rtol=0, atol=1e-6)
    other = augmentation(image, source(), augmentation.numbers(1, source(1)))
    assert (other - single).abs().max() > 0.1
    noisy = replace(augmentation, speckle=0.5)(image.repeat(5, 1, 1, 1), source(), numbers)
    assert len({tuple(each.flatten().tolist()) for each in noisy}) == 5


def test_changes_of_scale_are_within_the_limits() -> None:
    square = torch.zeros(200, 1, 32, 32)
    square[..., 8:24, 8:24] = 1.0
    sides = Augmentation(**NOTHING | {"scale": 0.25})(square, source()).sum((1, 2, 3)).sqrt() / 16
    assert 0.74 < sides.min() < 0.8
    assert 1.2 < sides.max() < 1.26


def test_half_of_the_images_are_flipped() -> None:
    images = torch.rand(200, 1, 8, 8)
    flipped = Augmentation(**NOTHING, flip=True)(images, source())
    turned = (flipped == images.flip(-1)).flatten(1).all(1)
    kept = (flipped == images).flatten(1).all(1)
    assert (turned ^ kept).all()
    assert 80 < turned.sum() < 120


@pytest.mark.parametrize("color", [(0.0, 0.0, 0.0), (0.2, 0.9, 0.4)])
def test_what_comes_into_view_has_the_color_of_the_background(color: tuple[float, float, float]) -> None:
    background = torch.tensor(color)[:, None, None]
    images = background.expand(30, 3, 16, 16).clone()
    images[..., 6:10, 6:10] = 1 - background
    changed = Augmentation(scale=0.5, shift=0.1, rotation=45.0)(images, source())
    outline = torch.cat([changed[..., 0, :], changed[..., -1, :]], -1)
    torch.testing.assert_close(outline, background.squeeze(2).expand_as(outline), rtol=0, atol=1e-5)
    assert (changed - images).abs().amax((1, 2, 3)).min() > 0.1


def test_cutout_covers_a_square_with_the_background() -> None:
    images = torch.full((50, 2, 20, 20), 0.25)
    images[..., 1:-1, 1:-1] = 1.0
    covered = (Augmentation(**NOTHING, cutout=0.3)(images, source()) != images).any(1)
    assert covered.sum((1, 2)).max() == 36  # of 400
    assert covered.any(1).sum(1).max() == covered.any(2).sum(1).max() == 6
    whole = squares(torch.tensor([0.5]), torch.tensor([0.25]), 0.5, 4)[0]
    assert whole.long().tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]


def test_speckle_noise_is_in_proportion_to_pixels_and_differs_between_images() -> None:
    images = torch.zeros(400, 1, 40, 40)
    images[..., :20, :], images[..., :10, :] = 0.2, 0.4
    noise = Augmentation(**NOTHING, speckle=0.3)(images, source()) - images
    assert (noise[..., 20:, :] == 0).all()
    strong, weak = (noise[..., rows, :].flatten(1).std(1) for rows in (slice(0, 10), slice(10, 20)))
    torch.testing.assert_close(strong, 2 * weak, rtol=0.2, atol=0)
    levels = (strong / 0.4).sort().values  # uniform from 0 to 0.3
    torch.testing.assert_close(levels, torch.linspace(0, 0.3, 400), rtol=0, atol=0.03)
    bright = Augmentation(**NOTHING, speckle=9.0)(torch.ones(9, 3, 8, 8), source())
    assert bright.min() == 0
    assert bright.max() == 1


def test_ranks_share_the_numbers_of_one_process() -> None:
    images = on_black(8)
    augmentation = Augmentation(flip=True, cutout=0.2, speckle=0.5)
    whole = augmentation(images, source())
    assert not whole.equal(augmentation(images, source(1)))
    parts = [augmentation(images[4 * rank :][:4], source(0, RankShard(rank, 2))) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)


def test_an_option_does_not_change_the_numbers_of_others() -> None:
    images = on_black(6)
    flip = Augmentation(**NOTHING, flip=True)(images, source())
    both = Augmentation(**NOTHING | {"rotation": 1e-4}, flip=True)(images, source())
    torch.testing.assert_close(both, flip, rtol=0, atol=1e-3)
    speckled = Augmentation(**NOTHING, flip=True, speckle=1e-4)(images, source())
    torch.testing.assert_close(speckled, flip, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotation": -1.0}, "rotation must be >= 0, got -1.0"),
        ({"rotation": 181.0}, "rotation must be <= 180, got 181.0"),
        ({"shift": 1.5}, "shift must be <= 1, got 1.5"),
        ({"scale": 1.0}, "scale must be < 1, got 1.0"),
        ({"shear": 90.0}, "shear must be < 90, got 90.0"),
        ({"cutout": float("nan")}, "cutout must be >= 0, got nan"),
        ({"speckle": -0.1}, "speckle must be >= 0, got -0.1"),
        ({"speckle": float("inf")}, "speckle must be >= 0, got inf"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Augmentation(**options)
