"""The fused backend for CPUs, compiled by numba: one pass along the points of each image, and one pass back.

The forward pass computes some points at a time and adds their bumps to the pixels within reach. The backward
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


def forward(
    packed: Tensor,  # [J, N, 6 or 7 + K] transforms with their features
    background: Tensor,  # [J, K]
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, C, T]
    start: Tensor,  # [B, C, 2]
    size: tuple[int, int],
    window: float,
    tau: float,
) -> tuple[Tensor, Tensor]:  # images [B, K or 1, H, W]; for K > 0 the sums of bumps [B, H, W]
    """Draw images. Raise IndexError for the index of a fractal or a transform that does not exist."""
    number, view = background.shape[1], view_of(size, window, tau)
    images = packed.new_empty(len(fractals), max(1, number), *size)
    weights = packed.new_empty(len(fractals) if number else 0, *size)
    groups = _groups(sequences, size)

    def draw(part: slice) -> None:
        inputs = _arrays(packed, fractals[part], sequences[part], start[part], background)
        outputs = _arrays(images[part], weights[part])
        canvases = groups * len(outputs[0]) if groups > 1 else 0
        sums = np.empty((canvases, 1 + number, *size), np.float32)

        def draw_groups(first: int, last: int) -> None:
            invalid = kernels.draw(first, last, groups, *inputs, *view, *outputs, sums)
            if invalid >= 0:  # one of these checks fails
                check_indices("fractals", fractals[part][invalid], packed.shape[0])
                check_indices("sequences", sequences[part][invalid], packed.shape[1])

        parallel_for(draw_groups, groups * len(outputs[0]))
        if groups > 1:
            _run(kernels.sum_groups, len(outputs[0]), groups, sums, inputs[1], inputs[4], *outputs)

    for part in _parts(len(images), groups * (1 + number) * size[0] * size[1] if groups > 1 else 0):
        draw(part)
    return images, weights


def backward(
    cotangent: Tensor,  # [B, K or 1, H, W]
    images: Tensor,  # [B, K or 1, H, W]
    weights: Tensor,  # [B, H, W]
    packed: Tensor,
    background: Tensor,
    fractals: Tensor,
    sequences: Tensor,
    start: Tensor,
    window: float,
    tau: float,
) -> tuple[Tensor, Tensor]:  # [J, N, 6 or 7 + K], and for each image [B, K]
    """The gradients of the transforms, summed over images in their order, and of the background."""
    size = (images.shape[2], images.shape[3])
    groups, view = _groups(sequences, size), view_of(size, window, tau)
    inputs = _arrays(packed, fractals, sequences, start, background)
    drawn = _arrays(cotangent, images, weights)
    of_background = background.new_empty(len(fractals), background.shape[1])
    per_group = np.zeros((groups * len(fractals), *packed.shape[1:]), np.float32)
    outputs = of_background.numpy(), per_group
    _run(
        kernels.accumulate_gradients, len(per_group), groups,
        *inputs, *view, np.float32(2 / tau), *drawn, *outputs,
    )  # fmt: skip
    gradient = packed.new_zeros(packed.shape)
    kernels.sum_by_fractal(inputs[1], per_group, gradient.numpy())
    return gradient, of_background


def searchsorted_rows(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """For each number of uniform [B, T], how many entries of its row of cumulative [B, N - 1] are <= it."""
    indices = torch.empty(uniform.shape, dtype=torch.long)
    _run(kernels.searchsorted_rows, len(uniform), *_arrays(cumulative, uniform, indices))
    return indices


def _groups(sequences: Tensor, size: tuple[int, int]) -> int:
    """The number of groups of an image's chains. It decides on the order of sums, so it ignores threads."""
    batch, chains, length = sequences.shape
    worth_it = int(chains * length / (POINTS_PER_PIXEL * size[0] * size[1])) if batch else 1
    return max(1, min(chains, MAX_GROUPS, worth_it))


def _parts(batch: int, numbers: int) -> Iterator[slice]:
    """Slices of the batch whose sums, of so many numbers per image, take no more than PART_BYTES."""
    size = max(1, PART_BYTES // (4 * numbers)) if numbers else max(1, batch)
    for first in range(0, batch, size):
        yield slice(first, first + size)


def _run(kernel: Callable[..., Any], count: int, *arguments: Any) -> None:
    parallel_for(lambda first, last: kernel(first, last, *arguments), count)


def _arrays(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    return tuple(tensor.detach().contiguous().numpy() for tensor in tensors)
