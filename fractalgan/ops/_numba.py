"""The fused backend for CPUs, compiled by numba: one pass along the points of each image, and one pass back.

The forward pass computes a point and immediately adds its bump to the pixels within reach. The backward
pass visits the points in reverse order: each collects its gradient from the same pixels and passes it on to
the point before it. Nothing of size T x H is allocated: a batch needs its images and its gradient, a thread
the points of one image. Points are computed in float64, and again in the backward pass, so that rounding
errors do not grow with the size of the image.

The chains of one image are divided into groups that threads draw side by side, each on a canvas of its own,
which are then added up in order. The number of groups follows from the shapes alone, not from the threads, so
neither do results.

This module takes and returns tensors; the loops are in ``_numba_kernels.py``.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fractalgan.ops import _numba_kernels as kernels
from fractalgan.ops._checks import check_indices
from fractalgan.ops._numba_view import view_of
from fractalgan.ops._threads import parallel_for

MAX_GROUPS = 16  # that the chains of an image are divided into
POINTS_PER_PIXEL = 1 / 16  # that make another group worth its canvas
PART_BYTES = 256_000_000  # of canvases, if an image does not need more

UNLIMITED = np.float32(np.inf)


def forward(
    transforms: Tensor,  # [J, N, 6] the rows of A, then b
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, C, T]
    start: Tensor,  # [B, C, 2]
    size: tuple[int, int],
    window: float,
    tau: float,
) -> Tensor:  # [B, H, W] in [0, 1]
    """Draw images. Raise IndexError for the index of a fractal or a transform that does not exist."""
    images = transforms.new_empty(len(fractals), *size)
    groups = _groups(sequences, images)
    view = view_of(size, window, tau)

    def draw(part: slice, limit: np.float32, drawn: NDArray[Any]) -> None:
        inputs = _arrays(transforms, fractals[part], sequences[part], start[part])

        def draw_groups(first: int, last: int) -> None:
            invalid = kernels.draw(first, last, groups, *inputs, *view, limit, drawn)
            if invalid >= 0:  # one of these checks fails
                check_indices("fractals", fractals[part][invalid], transforms.shape[0])
                check_indices("sequences", sequences[part][invalid], transforms.shape[1])

        parallel_for(draw_groups, len(drawn))

    if groups == 1:
        draw(slice(None), kernels.ONE, images.numpy())
        return images
    for part in _parts(images, groups):
        sums = images[part].numpy()
        drawn = np.empty((groups * len(sums), *size), np.float32)
        draw(part, UNLIMITED, drawn)
        _run(kernels.sum_groups, len(sums), groups, drawn, sums)
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
    groups = _groups(sequences, images)
    inputs = _arrays(transforms, fractals, sequences, start)
    view = view_of((images.shape[1], images.shape[2]), window, tau)
    per_group = np.zeros((groups * len(fractals), *transforms.shape[1:]), np.float32)
    outputs = *_arrays(cotangent, images), per_group
    _run(kernels.accumulate_gradients, len(per_group), groups, *inputs, *view, np.float32(2 / tau), *outputs)
    gradient = transforms.new_zeros(transforms.shape)
    kernels.sum_by_fractal(inputs[1], per_group, gradient.numpy())
    return gradient


def searchsorted_rows(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """For each number of uniform [B, T], how many entries of its row of cumulative [B, N - 1] are <= it."""
    indices = torch.empty(uniform.shape, dtype=torch.long)
    _run(kernels.searchsorted_rows, len(uniform), *_arrays(cumulative, uniform, indices))
    return indices


def _groups(sequences: Tensor, images: Tensor) -> int:
    """The number of groups of an image's chains. It decides on the order of sums, so it ignores threads."""
    chains, length = sequences.shape[1:]
    worth_it = int(chains * length / (POINTS_PER_PIXEL * images[0].numel())) if len(images) else 1
    return max(1, min(chains, MAX_GROUPS, worth_it))


def _parts(images: Tensor, groups: int) -> Iterator[slice]:
    """Slices of the batch whose groups take no more than PART_BYTES, or that hold one image."""
    size = max(1, PART_BYTES // (4 * groups * images[0].numel()))
    for first in range(0, len(images), size):
        yield slice(first, first + size)


def _run(kernel: Callable[..., Any], count: int, *arguments: Any) -> None:
    parallel_for(lambda first, last: kernel(first, last, *arguments), count)


def _arrays(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    return tuple(tensor.detach().contiguous().numpy() for tensor in tensors)
