"""The fused backend for CUDA, compiled by Triton: the results of the CPU backend, computed by kernels.

A GPU has many threads, but each is slow at following a sequence. So one thread per chain computes points,
in float64, and everything else is done for many points at once.

Forward: an image is divided into tiles. One block per tile adds up the bumps that may reach it, by the
product of two small matrices for each chunk of points. To find them, the points of images of several tiles
are sorted by cells, which are smaller than tiles; a tile takes those of the cells around it. An image of
one tile is one cell, so its points need no sorting.

Backward: each point collects its gradient from the pixels within the reach of its bump, one thread per
chain passes gradients on from point to point, and matrix products add them up for each transform.

No sum depends on the order in which blocks run. Per point, the forward pass takes 16 bytes of memory, and
about 60 more while points are sorted; the backward pass takes 24.

This module takes and returns tensors; the kernels are in ``_triton_kernels.py`` and ``_triton_features.py``.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import triton
from torch import Tensor

from fractalgan.ops import _triton_features as features_kernels
from fractalgan.ops import _triton_kernels as kernels
from fractalgan.ops.compositing import composite_backward, composite_forward
from fractalgan.ops.splat import bump_reach

CHUNK = 32  # points per matrix product, or chains per sum
LANES = 32  # chains per block where a thread follows a sequence: one warp
POINTS = 256  # per block where cells are assigned
PIXELS = 512  # per block and step where points collect gradients
MAX_COLUMNS = 32  # of these pixels per point
OPTIONS = {"enable_fp_fusion": True}  # a product and a sum may be fused into one instruction


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
    """Draw images. A point whose fractal or transform does not exist is left out, as are those after it."""
    planes = 1 + background.shape[1]
    sums = packed.new_zeros(len(fractals), planes, *size)
    behind = _of_images(background, fractals)
    if sums.numel() == 0 or sequences.numel() == 0:
        return composite_forward(sums, behind)
    transforms, carried = _unpack(packed)
    chains = _one_chain_per_row(fractals, sequences, start)
    points = _points(transforms, *chains).view(-1, 2)
    features = _features(carried, *chains[:2])
    view = _view(size, window, tau, points)
    tile, cell = _tile_and_cell(size, tau)
    if max(size) <= cell:
        num_points = len(points) // len(sums)
        bounds = torch.arange(0, len(points) + 1, num_points, device=points.device)
    else:
        order, bounds = _sort_by_cell(points, len(sums), view, cell)
        points, features = points[order], features[order]
    num_tiles = len(sums) * triton.cdiv(size[0], tile) * triton.cdiv(size[1], tile)
    kernels.splat[(num_tiles, planes)](points, features, bounds, sums, *view, tile, cell, CHUNK, **OPTIONS)
    return composite_forward(sums, behind)


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
    behind = _of_images(background, fractals)
    of_sums, of_background = composite_backward(cotangent, images, weights, behind)
    gradient = packed.new_zeros(packed.shape)
    if cotangent.numel() == 0 or sequences.numel() == 0:
        return gradient, of_background
    transforms, carried = _unpack(packed)
    fractals, sequences, start = _one_chain_per_row(fractals, sequences, start)
    (num_chains, num_points), (num_fractals, num_transforms, width) = sequences.shape, packed.shape
    points = _points(transforms, fractals, sequences, start)
    features = _features(carried, fractals, sequences)
    slopes, of_features = _slopes(points, features, of_sums.contiguous(), window, tau)
    shape = num_chains, num_fractals, num_transforms, num_points
    grid = (triton.cdiv(num_chains, LANES),)
    kernels.walk_back[grid](transforms, fractals, sequences, slopes, *shape, LANES, num_warps=1, **OPTIONS)
    of_carried = features.new_empty(len(features), width - 6)
    if number := features.shape[1]:
        features_kernels.carry_back[grid](
            carried, fractals, sequences, features, of_features, of_carried,
            *shape, number, LANES, triton.next_power_of_2(number), num_warps=1, **OPTIONS,
        )  # fmt: skip
    per_chain = packed.new_empty(num_chains, num_transforms, width)
    rows = max(16, triton.next_power_of_2(num_transforms))  # a matrix product takes no fewer
    columns = max(16, triton.next_power_of_2(width))
    kernels.sum_by_transform[(num_chains,)](
        sequences, start, points, slopes, of_carried, per_chain,
        num_transforms, num_points, width, rows, columns, CHUNK, **OPTIONS,
    )  # fmt: skip
    sorted_fractals, order = fractals.sort(stable=True)
    bounds = torch.searchsorted(sorted_fractals, torch.arange(num_fractals + 1, device=packed.device))
    count = width * num_transforms
    kernels.sum_by_fractal[(num_fractals,)](
        per_chain, order, bounds, gradient, count, triton.next_power_of_2(count), CHUNK, **OPTIONS
    )
    return gradient, of_background


def _of_images(background: Tensor, fractals: Tensor) -> Tensor:
    """The background [B, K] of each image; that of another for a fractal that does not exist."""
    return background[fractals.clamp(0, len(background) - 1)]


def _unpack(packed: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of A and b [J, N, 6], and features with their blend [J, N, 1 + K], or nothing."""
    return packed[..., :6].contiguous(), packed[..., 6:].contiguous()


def _one_chain_per_row(fractals: Tensor, sequences: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fractals [B C], sequences [B C, T] and start [B C, 2], which are contiguous."""
    fractals = fractals.repeat_interleave(sequences.shape[1])
    return fractals, sequences.flatten(0, 1).contiguous(), start.flatten(0, 1).contiguous()


def _points(transforms: Tensor, fractals: Tensor, sequences: Tensor, start: Tensor) -> Tensor:
    """Points v(1)..v(T), ``[B C, T, 2]``, in float64: float32 errors would be visible at 512 pixels."""
    points = transforms.new_empty(*sequences.shape, 2, dtype=torch.float64)
    kernels.iterate[(triton.cdiv(len(points), LANES),)](
        transforms, fractals, sequences, start, points,
        len(points), *transforms.shape[:2], sequences.shape[1], LANES, num_warps=1, **OPTIONS,
    )  # fmt: skip
    return points


def _features(carried: Tensor, fractals: Tensor, sequences: Tensor) -> Tensor:
    """The features of all points, ``[B C T, K]``."""
    number = max(0, carried.shape[2] - 1)
    features = carried.new_empty(sequences.numel(), number)
    if number:
        features_kernels.carry[(triton.cdiv(len(sequences), LANES),)](
            carried, fractals, sequences, features,
            len(sequences), *carried.shape[:2], sequences.shape[1],
            number, LANES, triton.next_power_of_2(number), num_warps=1, **OPTIONS,
        )  # fmt: skip
    return features


def _slopes(
    points: Tensor, features: Tensor, of_sums: Tensor, window: float, tau: float
) -> tuple[Tensor, Tensor]:
    """The gradient of each point through its own bump, in the shape of the points, and of its features."""
    slopes, of_features = torch.empty_like(points, dtype=torch.float32), torch.empty_like(features)
    batch, planes, *size = of_sums.shape
    width_of_bump = min(2 * math.ceil(bump_reach(tau)), size[1])
    columns = min(MAX_COLUMNS, triton.next_power_of_2(width_of_bump))
    count, chunk = slopes.numel() // 2, PIXELS // columns
    kernels.gather[(triton.cdiv(count, chunk),)](
        points, features, of_sums, slopes, of_features,
        count, count // batch, planes, *_view(size, window, tau, points), columns, chunk, **OPTIONS,
    )  # fmt: skip
    return slopes, of_features


def _sort_by_cell(
    points: Tensor,  # [B C T, 2]
    batch: int,
    view: tuple[Any, ...],
    cell: int,
) -> tuple[Tensor, Tensor]:
    """The order of the points by their cells, and where those of each cell begin and end.

    Cells are counted row by row, over all images. Points whose bumps do not reach their image are in no cell,
    and come last.
    """
    height, width, window, _, reach = view
    count = len(points)
    num_cells = batch * triton.cdiv(height, cell) * triton.cdiv(width, cell)
    # int32 takes half the time
    dtype = torch.int32 if num_cells <= torch.iinfo(torch.int32).max else torch.int64
    cells = torch.empty(count, dtype=dtype, device=points.device)
    kernels.assign_cells[(triton.cdiv(count, POINTS),)](
        points, cells, count, count // batch, num_cells, height, width, window, reach, cell, POINTS, **OPTIONS
    )
    cells, order = cells.sort(stable=True)
    return order, torch.searchsorted(cells, torch.arange(num_cells + 1, dtype=dtype, device=points.device))


def _view(size: Sequence[int], window: float, tau: float, points: Tensor) -> tuple[Any, ...]:
    """The arguments of a kernel that describe the view: height, width, window, tau and the reach of a bump.

    The window is a tensor to keep float64, because Triton passes numbers as float32; one that is filled on
    the device of the points, because a copy would wait for it.
    """
    window_float64 = points.new_full((), window, dtype=torch.float64)
    return *size, window_float64, tau, bump_reach(tau)


def _tile_and_cell(size: tuple[int, int], tau: float) -> tuple[int, int]:
    """The sides of a tile and of a cell: one of each for a small image."""
    if max(size) <= 32:
        side = 16 if max(size) <= 16 else 32
        return side, side
    return (16, 8) if bump_reach(tau) <= 8 else (32, 16)  # near the size of a bump
