"""The fused backend for CPUs, compiled by numba: one pass along the points of each image, and one pass back.

The forward pass computes a point and immediately adds its bump to the pixels within reach. The backward
pass visits the points in reverse order: each collects its gradient from the same pixels and passes it on to
the point before it. Nothing of size T x H is allocated: a batch needs its images and its gradient, a thread
the points of one image. Points are computed in float64, and again in the backward pass, so that rounding
errors do not grow with the size of the image.

A bump exp(-(i - x)^2 / tau) is cut off where it falls below 2^-23 of its peak, the precision of float32; for
tau = 1 this leaves 8 pixels per axis. Bumps are interpolated rather than computed: the position of x between
two pixels selects a row of a table, and a cubic polynomial corrects for the distance to the middle of that
row. So the loop has no exponential, for any tau.

This module takes and returns tensors; the loops are in ``_numba_kernels.py``.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fractalgan.ops import _numba_kernels as kernels
from fractalgan.ops._checks import check_indices
from fractalgan.ops._threads import parallel_for
from fractalgan.ops.splat import bump_reach

TABLE_ROWS = 64  # per pixel at tau = 1: the cubic's error is then 2e-9 of the peak


def forward(
    transforms: Tensor,  # [J, N, 6] the rows of A, then b
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, T]
    start: Tensor,  # [B, 2]
    size: tuple[int, int],
    window: float,
    tau: float,
) -> Tensor:  # [B, H, W] in [0, 1]
    """Draw images. Raise IndexError for the index of a fractal or a transform that does not exist."""
    images = transforms.new_empty(len(fractals), *size)
    inputs = _arrays(transforms, fractals, sequences, start) + _view(size, window, tau)
    output = images.numpy()

    def draw(first: int, last: int) -> None:
        invalid = kernels.draw(first, last, *inputs, output)
        if invalid >= 0:  # one of these checks fails
            check_indices("fractals", fractals[invalid], transforms.shape[0])
            check_indices("sequences", sequences[invalid], transforms.shape[1])

    parallel_for(draw, len(fractals))
    return images


def backward(
    cotangent: Tensor,  # [B, H, W]
    images: Tensor,  # [B, H, W]
    transforms: Tensor,
    fractals: Tensor,
    sequences: Tensor,
    start: Tensor,
    window: float,
    tau: float,
) -> Tensor:  # [J, N, 6]
    """The gradient of the transforms: the sum of the gradients of the images, added in their order."""
    per_image = transforms.new_zeros(len(fractals), *transforms.shape[1:])
    size = images.shape[1], images.shape[2]
    inputs = _arrays(transforms, fractals, sequences, start) + _view(size, window, tau)
    outputs = _arrays(cotangent, images, per_image)

    def accumulate(first: int, last: int) -> None:
        kernels.accumulate_gradients(first, last, *inputs, np.float32(2 / tau), *outputs)

    parallel_for(accumulate, len(fractals))
    gradient = transforms.new_zeros(transforms.shape)
    kernels.sum_by_fractal(*_arrays(fractals, per_image, gradient))
    return gradient


def searchsorted_rows(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """For each number of uniform [B, T], how many entries of its row of cumulative [B, N - 1] are <= it."""
    indices = torch.empty(uniform.shape, dtype=torch.long)
    arrays = _arrays(cumulative, uniform, indices)
    parallel_for(lambda first, last: kernels.searchsorted_rows(first, last, *arrays), len(uniform))
    return indices


def _arrays(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    return tuple(tensor.detach().contiguous().numpy() for tensor in tensors)


def _view(size: tuple[int, int], window: float, tau: float) -> tuple[NDArray[Any], int, NDArray[Any]]:
    """The arguments of a kernel that describe the view: the projection, then the fields of :class:`_Bumps`.

    The projection [scale_h, scale_w, shift_h, shift_w] converts points from the plane to pixels. Its
    shifts include the radius of a bump, so a point begins to reach the image at 0.
    """
    bumps = _bumps(tau)
    scales = [(length - 1) / (2 * window) for length in size]
    shifts = [scale * window + bumps.radius for scale in scales]
    return np.array([*scales, *shifts]), *bumps


class _Bumps(NamedTuple):
    """Bumps that cover 2 * radius pixels, for positions x between two pixels."""

    radius: int
    table: NDArray[Any]  # [rows + 1, 4, bump width] Taylor coefficients around the middle of each row


@lru_cache(maxsize=64)
def _bumps(tau: float) -> _Bumps:
    radius = math.ceil(bump_reach(tau))
    width = -(-2 * radius // kernels.WIDTH) * kernels.WIDTH  # rounded up to whole vectors
    rows = math.ceil(TABLE_ROWS / math.sqrt(tau))
    pixels = np.arange(width) - (radius - 1)
    distance = pixels - ((np.arange(rows + 1) + 0.5) / rows)[:, None]
    bump, slope = np.exp(-(distance**2) / tau), 2 * distance / tau
    taylor = [bump, slope * bump, (slope**2 - 2 / tau) * bump / 2, (slope**3 - 6 * slope / tau) * bump / 6]
    table = np.stack(taylor, 1)
    table[..., 2 * radius :] = 0
    # a copy in memory of PyTorch's, which begins at a cache line
    return _Bumps(radius, torch.from_numpy(table).float().numpy())
