"""A box around the attractor of a fractal."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fractalgan.ops.affine import Transforms, fixed_point
from fractalgan.ops.chaos import iterate_points
from fractalgan.ops.sequences import sequences_from_uniform

DIRECTIONS = 64  # of the sides of a polygon
MAX_ROUNDS, SMALL_MOVE = 5000, 1e-5  # how often they are moved, and the relative move that is the last
MARGIN = 1.001
MAX_CENTERS = 32  # of disks, of which the smallest is taken
MARGIN_OF_POINTS = 1.5  # where transforms are no contractions
CHAINS, CHAIN_LENGTH = 512, 64  # of a sample of points
MIN_BURN_IN, MAX_BURN_IN = 32, 4096  # points before the first of a chain that is kept
FORGOTTEN = 1e-3  # what is left there of the distance between two chains
FAR = 1e12  # a point beyond it has diverged


class Box(NamedTuple):
    """A rectangle along the axes of the plane."""

    center: Tensor  # [2]
    half: Tensor  # [2], of its sides


def bounding_box(transforms: Transforms, probabilities: Tensor, generator: torch.Generator) -> Box:
    """A box around the attractor of one fractal, without the dimension J, in float64.

    If all transforms are contractions, no point of the attractor is outside of it. Otherwise it is that of a
    sample of points, with a margin.

    Args:
        transforms: A ``[N, 2, 2]`` and b ``[N, 2]``.
        probabilities: of the transforms, ``[N]``, for the sample.
        generator: source of the random numbers for the sample.
    """
    sigma = largest_singular_value(transforms.A)
    if not sigma.max() < 1:
        return _box_of_points(transforms, probabilities, generator)
    center, radius = _disk(transforms, sigma)
    high, low = _sides_of_polygon(transforms, center, radius)
    return Box((high + low) / 2, (high - low) / 2 * MARGIN)


def largest_singular_value(A: Tensor) -> Tensor:
    """The largest singular values ``[...]`` of matrices ``[..., 2, 2]``; NaN where there is a NaN."""
    squares = A.square().sum((-2, -1))
    determinants = A[..., 0, 0] * A[..., 1, 1] - A[..., 0, 1] * A[..., 1, 0]
    return ((squares + (squares.square() - 4 * determinants.square()).clamp_min(0).sqrt()) / 2).sqrt()


def _disk(transforms: Transforms, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """A disk around the attractor, which all transforms map into itself: its center [2] and its radius.

    The smallest of those around fixed points; around that of a transform that hardly contracts, the transform
    asks for no radius.
    """
    A, b = transforms
    weakest = sigma.argsort(descending=True)[:MAX_CENTERS]
    centers = fixed_point(A[weakest], b[weakest])  # [C, 2]
    moved = (centers @ A.mT + b[:, None] - centers).norm(dim=2)  # [N, C]
    radii, best = (moved / (1 - sigma[:, None])).amax(0).min(0)
    return centers[best], radii


def _sides_of_polygon(transforms: Transforms, center: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """The upper and lower bounds [2] of a polygon around the attractor, which starts around a disk.

    The images of a polygon around the attractor are together around it, too; so the sides can be moved to
    them, again and again.
    """
    A, b = transforms
    angles = torch.arange(DIRECTIONS, dtype=b.dtype) * (2 * math.pi / DIRECTIONS)
    normals = torch.stack([angles.cos(), angles.sin()], 1)
    corners_of = torch.linalg.inv(torch.stack([normals, normals.roll(-1, 0)], 1))  # [D, 2, 2]
    bounds = normals @ center + radius
    for _ in range(MAX_ROUNDS):
        corners = (corners_of @ torch.stack([bounds, bounds.roll(-1)], 1)[..., None])[..., 0]
        images = corners @ A.mT + b[:, None]  # [N, D, 2]
        before, bounds = bounds, bounds.minimum((images @ normals.T).amax((0, 1)))
        if (before - bounds).max() <= SMALL_MOVE * (bounds + bounds.roll(DIRECTIONS // 2)).max():
            break
    right, up, left, down = bounds[:: DIRECTIONS // 4].unbind()
    return torch.stack([right, up]), -torch.stack([left, down])


def sample_points(transforms: Transforms, probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """Points [P, 2] of one fractal in random order, those that have diverged left out."""
    A, b = transforms
    rows, skipped = torch.zeros(CHAINS, dtype=torch.long), burn_in(A, probabilities)
    uniform = torch.rand(CHAINS, skipped + CHAIN_LENGTH, generator=generator, dtype=b.dtype)
    sequences = sequences_from_uniform(probabilities[None], rows, uniform)
    points = iterate_points(Transforms(A[None], b[None]), rows, sequences, b.new_zeros(CHAINS, 2))
    points = points[:, skipped:].transpose(0, 1).flatten(0, 1)  # those of one chain are far apart
    return points[(points.abs() < FAR).all(1)]


def burn_in(A: Tensor, probabilities: Tensor) -> int:
    """The number of steps after which it hardly matters where a chain has started.

    Many for a fractal that is mostly drawn by a transform that hardly contracts, such as a spiral.

    Args:
        A: the matrices ``[N, 2, 2]``.
        probabilities: of the transforms, ``[N]``.
    """
    mean = float(probabilities @ largest_singular_value(A))
    steps = math.log(FORGOTTEN) / math.log(mean) if 0 < mean < 1 else 0
    return min(max(MIN_BURN_IN, math.ceil(steps)), MAX_BURN_IN)


def _box_of_points(transforms: Transforms, probabilities: Tensor, generator: torch.Generator) -> Box:
    points = sample_points(transforms, probabilities, generator)
    if not len(points):
        return Box(transforms.b.new_zeros(2), transforms.b.new_ones(2))
    low, high = points.amin(0), points.amax(0)
    return Box((high + low) / 2, (high - low) / 2 * MARGIN_OF_POINTS)
