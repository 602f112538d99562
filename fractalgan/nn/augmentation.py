"""Augmentation: random warps, flips, cutouts and noise of a batch, of each image or of all alike."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fractalgan.errors import InputError, require_at_least
from fractalgan.nn.image_features import backgrounds
from fractalgan.randomness import RandomSource

NUMBERS = 8  # random numbers per image, whether they are used or not


@dataclass(frozen=True)
class Augmentation:
    """Changes each image [C, H, W] of a batch by random numbers of its own.

    What comes into view has the color of the image's background: the median color of its outline.

    Args:
        rotation: largest rotation, in degrees, either way.
        shift: largest shift along each axis, as a share of the image size.
        scale: largest change of size: factors are between 1 - scale and 1 + scale.
        shear: largest angle of the horizontal shear, in degrees, either way.
        flip: whether half of the images are flipped left to right.
        cutout: side of a square at a random place that is filled with the background (DeVries & Taylor 2017),
            as a share of the image size.
        speckle: largest standard deviation of speckle noise, x (1 + Gaussian noise) for each channel x of a
            pixel, so that black stays black; that of an image is uniform between 0 and this.

    Raises:
        InputError: for a value out of range.
    """

    rotation: float = 10.0
    shift: float = 0.08
    scale: float = 0.15
    shear: float = 8.0
    flip: bool = False
    cutout: float = 0.0
    speckle: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation": (180, True), "shift": (1, True), "scale": (1, False)}
        limits |= {"shear": (90, False), "cutout": (1, True)}
        require_at_least(0, speckle=self.speckle)
        for name, (limit, included) in limits.items():
            value = getattr(self, name)
            require_at_least(0, **{name: value})
            if value > limit or (value == limit and not included):
                raise InputError(f"{name} must be {'<=' if included else '<'} {limit}, got {value}")

    @staticmethod
    def numbers(rows: int, source: RandomSource) -> Tensor:
        """Random numbers [rows, 8] in [0, 1) that say how images are warped, flipped and covered."""
        return source.rand(rows, NUMBERS)

    def __call__(self, images: Tensor, source: RandomSource, numbers: Tensor | None = None) -> Tensor:
        """Images [B, C, H, W] in [0, 1] -> images of the same shape.

        Args:
            images: this rank's rows of the batch.
            source: of the random numbers, on the CPU.
            numbers: of :meth:`numbers`, a row for each image [B, 8], or one [1, 8] for images that all change
                alike (siamese augmentation: Zhao & Bilen, ICML 2021) and differ only in their noise; None
                draws a row for each image.
        """
        if numbers is None:
            numbers = self.numbers(len(images), source)
        numbers = numbers.to(images).expand(len(images), NUMBERS)
        turn, down, right, size, slant, flip, row, column = numbers.unbind(1)
        background = backgrounds(images)[..., None, None]
        if self.flip:
            images = torch.where((flip < 0.5)[:, None, None, None], images.flip(-1), images)
        if any((self.rotation, self.shift, self.scale, self.shear)):
            matrices = affine_matrices(
                math.radians(self.rotation) * _signed(turn),
                self.shift * torch.stack([_signed(down), _signed(right)], 1),
                1 + self.scale * _signed(size),
                math.radians(self.shear) * _signed(slant),
            )
            # a shift to and from a background of 0, which is what `grid_sample` fills in
            images = warp(images - background, matrices) + background
        if self.cutout > 0:
            inside = squares(row, column, self.cutout, images.shape[-1])
            images = torch.where(inside.unsqueeze(1), background, images)
        return self._speckled(images, source) if self.speckle > 0 else images

    def _speckled(self, images: Tensor, source: RandomSource) -> Tensor:
        """Images with noise, clamped to [0, 1]. It is drawn last: the other numbers do not depend on it."""
        std = self.speckle * source.rand(len(images), 1, 1, 1)
        noise = std * source.randn(*images.shape)
        return (images * (1 + noise.to(images))).clamp(0, 1)


def affine_matrices(rotation: Tensor, shift: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    """The matrices [B, 2, 3] by which :func:`warp` rotates, shifts, scales and shears about the center.

    An image is sheared first, then scaled and rotated, then shifted, as in torchvision's ``affine``.

    Args:
        rotation: [B], in radians, clockwise.
        shift: [B, 2], down and to the right, as a share of the image size.
        scale: [B].
        shear: [B], horizontal, in radians.

    Returns:
        Where each pixel of the result comes from, in coordinates (right, down) of [-1, 1].
    """
    cos, sin, tan = rotation.cos(), rotation.sin(), shear.tan()
    # the inverse of scale * [[cos, -sin], [sin, cos]] @ [[1, -tan], [0, 1]]
    rows = [torch.stack([cos + tan * -sin, sin + tan * cos], 1), torch.stack([-sin, cos], 1)]
    inverse = torch.stack(rows, 1) / scale[:, None, None]
    offset = inverse @ (2 * shift.flip(1))[..., None]
    return torch.cat([inverse, -offset], 2)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Square images [B, C, H, W] along matrices [B, 2, 3], with 0 for what comes into view."""
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def squares(row: Tensor, column: Tensor, side: float, size: int) -> Tensor:
    """Masks [B, size, size] of squares with centers [B] and a side as shares of the image size."""
    places = (torch.arange(size, device=row.device, dtype=row.dtype) + 0.5) / size
    inside_rows, inside_columns = ((places - each[:, None]).abs() < side / 2 for each in (row, column))
    return inside_rows[:, :, None] & inside_columns[:, None, :]


def _signed(uniform: Tensor) -> Tensor:
    """Numbers in [0, 1) -> [-1, 1)."""
    return 2 * uniform - 1
