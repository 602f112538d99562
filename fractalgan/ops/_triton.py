"""The fused backend for CUDA, compiled by Triton: the results of the CPU backend, computed by five kernels.

A GPU has many threads, but each is slow at following a sequence. So one thread per image computes the
points, in float64, or one thread per chain; then one block per tile of an image adds up their bumps, by the
product of two small matrices for each chunk of points, and skips chunks that do not reach the tile. The
backward pass takes the same two steps in reverse order. No sum depends on the order in which blocks run.

This module takes and returns tensors; the kernels are in ``_triton_kernels.py``.
"""

from typing import Any

import torch
import triton
from torch import Tensor

from fractalgan.ops import _triton_kernels as kernels
from fractalgan.ops.splat import bump_reach

CHUNK = 32  # points per matrix product
LANES = 32  # images per block where a thread follows a sequence: one warp
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
    if images.numel() > 0:
        fractals, sequences, start, chains = _one_chain_per_row(fractals, sequences, start)
        points = _points(transforms, fractals, sequences, start)
        tile, num_tiles = _tiles(images)
        kernels.splat[(len(images), num_tiles)](
            points, images, chains, sequences.shape[1], *_view(images, window, tau), tile, CHUNK, **OPTIONS
        )
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
    fractals, sequences, start, chains = _one_chain_per_row(fractals, sequences, start)
    (batch, num_points), (num_fractals, num_transforms, _) = sequences.shape, transforms.shape
    if batch == 0 or num_points == 0:
        return gradient
    points = _points(transforms, fractals, sequences, start)
    slopes = torch.empty_like(points, dtype=torch.float32)
    kernels.gather[(batch, triton.cdiv(num_points, CHUNK))](
        points, cotangent.contiguous(), images, slopes,
        chains, num_points, *_view(images, window, tau), _tiles(images)[0], CHUNK, **OPTIONS,
    )  # fmt: skip
    per_image = transforms.new_empty(batch, num_transforms, 6)
    kernels.walk_back[(triton.cdiv(batch, LANES),)](
        transforms.contiguous(), fractals.contiguous(), sequences.contiguous(), points, slopes, per_image,
        batch, num_transforms, num_points, LANES, triton.next_power_of_2(num_transforms),
        num_warps=1, **OPTIONS,
    )  # fmt: skip
    sorted_fractals, order = fractals.sort(stable=True)
    bounds = torch.searchsorted(sorted_fractals, torch.arange(num_fractals + 1, device=transforms.device))
    count = 6 * num_transforms
    kernels.sum_by_fractal[(num_fractals,)](
        per_image, order, bounds, gradient, count, triton.next_power_of_2(count), **OPTIONS
    )
    return gradient


def _one_chain_per_row(
    fractals: Tensor, sequences: Tensor, start: Tensor
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Fractals [B C], sequences [B C, T], start [B C, 2] and the number C of chains per image."""
    chains = sequences.shape[1]
    return fractals.repeat_interleave(chains), sequences.flatten(0, 1), start.flatten(0, 1), chains


def _points(transforms: Tensor, fractals: Tensor, sequences: Tensor, start: Tensor) -> Tensor:
    """Points v(0)..v(T), ``[B, 1 + T, 2]``, in float64: float32 errors would be visible at 512 pixels."""
    batch, num_points = sequences.shape
    points = transforms.new_empty(batch, 1 + num_points, 2, dtype=torch.float64)
    kernels.iterate[(triton.cdiv(batch, LANES),)](
        transforms.contiguous(), fractals.contiguous(), sequences.contiguous(), start.contiguous(), points,
        batch, *transforms.shape[:2], num_points, LANES, num_warps=1, **OPTIONS,
    )  # fmt: skip
    return points


def _view(images: Tensor, window: float, tau: float) -> tuple[Any, ...]:
    """The arguments of a kernel that describe the view: height, width, window, tau and the reach of a bump.

    The window is a tensor to keep float64, because Triton passes numbers as float32.
    """
    window_float64 = torch.tensor(window, dtype=torch.float64, device=images.device)
    return images.shape[1], images.shape[2], window_float64, tau, bump_reach(tau)


def _tiles(images: Tensor) -> tuple[int, int]:
    """The side of a tile, and the number of tiles that cover an image."""
    height, width = images.shape[1:]
    tile = 16 if max(height, width) <= 16 else 32
    return tile, triton.cdiv(height, tile) * triton.cdiv(width, tile)
