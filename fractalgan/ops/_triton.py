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

This module takes and returns tensors; the kernels are in ``_triton_kernels.py``.
"""

import math
from typing import Any

import torch
import triton
from torch import Tensor

from fractalgan.ops import _triton_kernels as kernels
from fractalgan.ops.splat import bump_reach

CHUNK = 32  # points per matrix product, or chains per sum
LANES = 32  # chains per block where a thread follows a sequence: one warp
POINTS = 256  # per block where cells are assigned
PIXELS = 512  # per block and step where points collect gradients
MAX_COLUMNS = 32  # of these pixels per point
OPTIONS = {"enable_fp_fusion": True}  # a product and a sum may be fused into one instruction


def forward(
    transforms: Tensor,  # [J, N, 6] the rows of A, then b
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, C, T]
    start: Tensor,  # [B, C, 2]
    size: tuple[int, int],
    window: float,
    tau: float,
) -> Tensor:  # [B, H, W] in [0, 1]
    """Draw images. A point whose fractal or transform does not exist is left out, as are those after it."""
    images = transforms.new_empty(len(fractals), *size)
    if images.numel() == 0 or sequences.numel() == 0:
        return images.zero_()
    points = _points(transforms, *_one_chain_per_row(fractals, sequences, start)).view(-1, 2)
    view = _view(images, window, tau)
    tile, cell = _tile_and_cell(size, tau)
    if max(size) <= cell:
        num_points = len(points) // len(images)
        bounds = torch.arange(0, len(points) + 1, num_points, device=points.device)
    else:
        points, bounds = _sort_by_cell(points, images, view, cell)
    num_tiles = len(images) * triton.cdiv(size[0], tile) * triton.cdiv(size[1], tile)
    kernels.splat[(num_tiles,)](points, bounds, images, *view, tile, cell, CHUNK, **OPTIONS)
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
    gradient = transforms.new_zeros(transforms.shape)
    if cotangent.numel() == 0 or sequences.numel() == 0:
        return gradient
    transforms = transforms.contiguous()
    fractals, sequences, start = _one_chain_per_row(fractals, sequences, start)
    (num_chains, num_points), (num_fractals, num_transforms, _) = sequences.shape, transforms.shape
    points = _points(transforms, fractals, sequences, start)
    slopes = _slopes(points, cotangent, images, window, tau)
    kernels.walk_back[(triton.cdiv(num_chains, LANES),)](
        transforms, fractals, sequences, slopes,
        num_chains, num_fractals, num_transforms, num_points, LANES, num_warps=1, **OPTIONS,
    )  # fmt: skip
    per_chain = transforms.new_empty(num_chains, num_transforms, 6)
    rows = max(16, triton.next_power_of_2(num_transforms))  # a matrix product takes no fewer
    kernels.sum_by_transform[(num_chains,)](
        sequences, start, points, slopes, per_chain, num_transforms, num_points, rows, CHUNK, **OPTIONS
    )
    sorted_fractals, order = fractals.sort(stable=True)
    bounds = torch.searchsorted(sorted_fractals, torch.arange(num_fractals + 1, device=transforms.device))
    count = 6 * num_transforms
    kernels.sum_by_fractal[(num_fractals,)](
        per_chain, order, bounds, gradient, count, triton.next_power_of_2(count), CHUNK, **OPTIONS
    )
    return gradient


def _one_chain_per_row(fractals: Tensor, sequences: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fractals [B C], sequences [B C, T] and start [B C, 2], which are contiguous."""
    fractals = fractals.repeat_interleave(sequences.shape[1])
    return fractals, sequences.flatten(0, 1).contiguous(), start.flatten(0, 1).contiguous()


def _points(transforms: Tensor, fractals: Tensor, sequences: Tensor, start: Tensor) -> Tensor:
    """Points v(1)..v(T), ``[B C, T, 2]``, in float64: float32 errors would be visible at 512 pixels."""
    points = transforms.new_empty(*sequences.shape, 2, dtype=torch.float64)
    kernels.iterate[(triton.cdiv(len(points), LANES),)](
        transforms.contiguous(), fractals, sequences, start, points,
        len(points), *transforms.shape[:2], sequences.shape[1], LANES, num_warps=1, **OPTIONS,
    )  # fmt: skip
    return points


def _slopes(points: Tensor, cotangent: Tensor, images: Tensor, window: float, tau: float) -> Tensor:
    """The gradient of each point through its own bump, in the shape of the points."""
    slopes = torch.empty_like(points, dtype=torch.float32)
    cotangent = cotangent.masked_fill(images >= 1, 0).contiguous()  # a full pixel passes no gradient
    width_of_bump = min(2 * math.ceil(bump_reach(tau)), images.shape[2])
    columns = min(MAX_COLUMNS, triton.next_power_of_2(width_of_bump))
    count, chunk = slopes.numel() // 2, PIXELS // columns
    kernels.gather[(triton.cdiv(count, chunk),)](
        points, cotangent, slopes,
        count, count // len(images), *_view(images, window, tau), columns, chunk, **OPTIONS,
    )  # fmt: skip
    return slopes


def _sort_by_cell(
    points: Tensor,  # [B C T, 2]
    images: Tensor,  # [B, H, W]
    view: tuple[Any, ...],
    cell: int,
) -> tuple[Tensor, Tensor]:
    """The points in the order of their cells, and where those of each cell begin and end.

    Cells are counted row by row, over all images. Points whose bumps do not reach their image are in no cell,
    and come last.
    """
    height, width, window, _, reach = view
    count, batch = len(points), len(images)
    num_cells = batch * triton.cdiv(height, cell) * triton.cdiv(width, cell)
    # int32 takes half the time
    dtype = torch.int32 if num_cells <= torch.iinfo(torch.int32).max else torch.int64
    cells = torch.empty(count, dtype=dtype, device=points.device)
    kernels.assign_cells[(triton.cdiv(count, POINTS),)](
        points, cells, count, count // batch, num_cells, height, width, window, reach, cell, POINTS, **OPTIONS
    )
    cells, order = cells.sort(stable=True)
    bounds = torch.searchsorted(cells, torch.arange(num_cells + 1, dtype=dtype, device=points.device))
    return points[order], bounds


def _view(images: Tensor, window: float, tau: float) -> tuple[Any, ...]:
    """The arguments of a kernel that describe the view: height, width, window, tau and the reach of a bump.

    The window is a tensor to keep float64, because Triton passes numbers as float32; one that is filled on
    the device, because a copy would wait for it.
    """
    window_float64 = images.new_full((), window, dtype=torch.float64)
    return images.shape[1], images.shape[2], window_float64, tau, bump_reach(tau)


def _tile_and_cell(size: tuple[int, int], tau: float) -> tuple[int, int]:
    """The sides of a tile and of a cell: one of each for a small image."""
    if max(size) <= 32:
        side = 16 if max(size) <= 16 else 32
        return side, side
    return (16, 8) if bump_reach(tau) <= 8 else (32, 16)  # near the size of a bump
