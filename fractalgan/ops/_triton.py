"""The fused backend for CUDA: the same results as the one for CPUs, by five small kernels.

A GPU has threads to spare, but each is slow at walking along a sequence. So one thread an image
iterates the points, in float64, and one block a tile of an image adds up their bumps, by the product
of two small matrices for each chunk of points; chunks that do not reach the tile are skipped. The way
back takes the same two steps in reverse. No sum depends on the order in which blocks run.
"""

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from fractalgan.ops.splat import bump_reach

CHUNK = 32  # points
LANES = 32  # images that are iterated side by side, by one warp
LARGEST = tl.constexpr(3.4e38)
FUSION = {"enable_fp_fusion": True}  # a product and a sum may become one instruction


def forward(
    maps: Tensor,  # [J, N, 6] A row by row, then b
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, T]
    start: Tensor,  # [B, 2]
    size: tuple[int, int],
    window: float,
    tau: float,
) -> Tensor:
    """Images [B, H, W] in [0, 1]. A point whose fractal or transform does not exist is left out."""
    images = maps.new_empty(len(fractals), *size)
    if images.numel() > 0:
        points = _points(maps, fractals, sequences, start)
        tile, tiles = _tiles(images)
        _splat[(len(fractals), tiles)](
            points, images, sequences.shape[1], *_view(images, window, tau), tile, CHUNK, **FUSION
        )
    return images


def backward(
    cotangent: Tensor,  # [B, H, W]
    images: Tensor,  # [B, H, W]
    maps: Tensor,
    fractals: Tensor,
    sequences: Tensor,
    start: Tensor,
    window: float,
    tau: float,
) -> Tensor:
    """The gradient [J, N, 6] of the maps: that of each image, added up in the order of the images."""
    gradient = maps.new_zeros(maps.shape)
    (batch, num_points), (num_fractals, num_transforms, _) = sequences.shape, maps.shape
    if batch == 0 or num_points == 0:
        return gradient
    points = _points(maps, fractals, sequences, start)
    slopes = torch.empty_like(points, dtype=torch.float32)
    _gather[(batch, triton.cdiv(num_points, CHUNK))](
        points, cotangent.contiguous(), images, slopes,
        num_points, *_view(images, window, tau), _tiles(images)[0], CHUNK, **FUSION,
    )  # fmt: skip
    each = maps.new_empty(batch, num_transforms, 6)
    _walk_back[(triton.cdiv(batch, LANES),)](
        maps.contiguous(), fractals.contiguous(), sequences.contiguous(), points, slopes, each,
        batch, num_transforms, num_points, LANES, triton.next_power_of_2(num_transforms),
        num_warps=1, **FUSION,
    )  # fmt: skip
    in_order, order = fractals.sort(stable=True)
    bounds = torch.searchsorted(in_order, torch.arange(num_fractals + 1, device=maps.device))
    numbers = 6 * num_transforms
    _add_up[(num_fractals,)](
        each, order, bounds, gradient, numbers, triton.next_power_of_2(numbers), **FUSION
    )
    return gradient


def _points(maps: Tensor, fractals: Tensor, sequences: Tensor, start: Tensor) -> Tensor:
    """v(0)..v(T) [B, 1 + T, 2] in the plane, in float64: float32 would show in an image of 512 pixels."""
    batch, num_points = sequences.shape
    points = maps.new_empty(batch, 1 + num_points, 2, dtype=torch.float64)
    _iterate[(triton.cdiv(batch, LANES),)](
        maps.contiguous(), fractals.contiguous(), sequences.contiguous(), start.contiguous(), points,
        batch, *maps.shape[:2], num_points, LANES, num_warps=1, **FUSION,
    )  # fmt: skip
    return points


def _view(images: Tensor, window: float, tau: float) -> tuple[Any, ...]:
    """Height, width, window, tau and how far a bump reaches, as the kernels want them.

    A number that is handed to a kernel comes in float32, one in a tensor comes as it is.
    """
    in_float64 = torch.tensor(window, dtype=torch.float64, device=images.device)
    return images.shape[1], images.shape[2], in_float64, tau, bump_reach(tau)


def _tiles(images: Tensor) -> tuple[int, int]:
    """The side of a tile, and how many it takes to cover an image."""
    height, width = images.shape[1:]
    tile = 16 if max(height, width) <= 16 else 32
    return tile, triton.cdiv(height, tile) * triton.cdiv(width, tile)


def _kernel(function: Callable[..., Any]) -> Any:
    return triton.jit(function)


@_kernel
def _iterate(
    maps: tl.tensor,
    fractals: tl.tensor,
    sequences: tl.tensor,
    start: tl.tensor,
    points: tl.tensor,
    batch: tl.tensor,
    num_fractals: tl.tensor,
    num_transforms: tl.tensor,
    num_points: tl.tensor,
    LANES: tl.constexpr,
) -> None:
    """v(t) = A v(t-1) + b (Eq. 3), an image a lane."""
    image = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    there = image < batch
    fractal = tl.load(fractals + image, there, 0)
    x = tl.load(start + 2 * image, there, 0.0).to(tl.float64)
    y = tl.load(start + 2 * image + 1, there, 0.0).to(tl.float64)
    place = points + 2 * image * (1 + num_points)
    tl.store(place, x, there)
    tl.store(place + 1, y, there)
    for t in range(num_points):
        n = tl.load(sequences + image * num_points + t, there, 0)
        known = (fractal >= 0) & (fractal < num_fractals) & (n >= 0) & (n < num_transforms)
        at = maps + 6 * (fractal * num_transforms + n)
        a, b, c = (tl.load(at, known, float("nan")), tl.load(at + 1, known, 0.0), tl.load(at + 2, known, 0.0))
        d, e, f = (tl.load(at + 3, known, 0.0), tl.load(at + 4, known, 0.0), tl.load(at + 5, known, 0.0))
        x, y = a * x + b * y + e, c * x + d * y + f
        lost = (tl.abs(x) > LARGEST) | (tl.abs(y) > LARGEST)  # as it would be in float32, and for good
        x, y = tl.where(lost, float("nan"), x), tl.where(lost, float("nan"), y)
        tl.store(place + 2 * t + 2, x, there)
        tl.store(place + 2 * t + 3, y, there)


@_kernel
def _scale(length: tl.tensor, window: tl.tensor) -> tl.tensor:
    """Pixels a unit of the plane."""
    return (length - 1) / (2 * window)


@_kernel
def _axis(
    points: tl.tensor,
    length: tl.tensor,
    window: tl.tensor,
    tau: tl.tensor,
    reach: tl.tensor,
    first: tl.tensor,
    TILE: tl.constexpr,
) -> tl.tensor:
    """Bumps of points [P] along one axis of a tile that begins at a pixel, and their slopes: [P, TILE]."""
    place = (points + window) * _scale(length, window)
    place = tl.where(tl.abs(place) < 1e9, place, -1e9)  # also NaN
    pixel = tl.floor(place)
    beyond = (place - pixel).to(tl.float32)
    distance = (first + tl.arange(0, TILE)[None, :] - pixel.to(tl.int32)[:, None]).to(tl.float32)
    distance -= beyond[:, None]
    bump = tl.where(tl.abs(distance) < reach, tl.exp(-distance * distance / tau), 0.0)
    return bump, bump * distance * (2 / tau)


@_kernel
def _chunk(points: tl.tensor, image: tl.tensor, t: tl.tensor, num_points: tl.tensor) -> tl.tensor:
    """v(t + 1) of an image, both coordinates; NaN beyond its last point."""
    place = points + 2 * (image * (1 + num_points) + 1 + t)
    there = t < num_points
    return tl.load(place, there, float("nan")), tl.load(place + 1, there, float("nan"))


@_kernel
def _meet(bumps_h: tl.tensor, bumps_w: tl.tensor) -> tl.tensor:
    """Whether any of the points has a bump that reaches the tile on both axes."""
    return tl.max(tl.max(bumps_h, 1) * tl.max(bumps_w, 1), 0) > 0


@_kernel
def _pixels(
    image: tl.tensor, top: tl.tensor, left: tl.tensor, height: tl.tensor, width: tl.tensor, TILE: tl.constexpr
) -> tl.tensor:
    """Where a tile's pixels stand among all images', and which of them exist."""
    h, w = top + tl.arange(0, TILE)[:, None], left + tl.arange(0, TILE)[None, :]
    return image * height * width + h * width + w, (h < height) & (w < width)


@_kernel
def _splat(
    points: tl.tensor,
    images: tl.tensor,
    num_points: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    window: tl.tensor,
    tau: tl.tensor,
    reach: tl.tensor,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
) -> None:
    """One tile of one image: the sum of all bumps (Eq. 8), then min(I, 1)."""
    image, window = tl.program_id(0).to(tl.int64), tl.load(window)
    across = tl.cdiv(width, TILE)
    top, left = tl.program_id(1) // across * TILE, tl.program_id(1) % across * TILE
    total = tl.zeros((TILE, TILE), tl.float32)
    for first in range(0, num_points, CHUNK):
        x, y = _chunk(points, image, first + tl.arange(0, CHUNK), num_points)
        bumps_h, _ = _axis(x, height, window, tau, reach, top, TILE)
        bumps_w, _ = _axis(y, width, window, tau, reach, left, TILE)
        if _meet(bumps_h, bumps_w):
            total += tl.dot(tl.trans(bumps_h), bumps_w, input_precision="ieee")
    at, inside = _pixels(image, top, left, height, width, TILE)
    tl.store(images + at, tl.minimum(total, 1.0), inside)


@_kernel
def _gather(
    points: tl.tensor,
    cotangent: tl.tensor,
    images: tl.tensor,
    slopes: tl.tensor,
    num_points: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    window: tl.tensor,
    tau: tl.tensor,
    reach: tl.tensor,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
) -> None:
    """The gradient at a chunk of one image's points, by way of their own bumps alone."""
    image, window = tl.program_id(0).to(tl.int64), tl.load(window)
    t = tl.program_id(1) * CHUNK + tl.arange(0, CHUNK)
    x, y = _chunk(points, image, t, num_points)
    slope_x, slope_y = tl.zeros((CHUNK,), tl.float32), tl.zeros((CHUNK,), tl.float32)
    for top in range(0, height, TILE):
        bumps_h, slopes_h = _axis(x, height, window, tau, reach, top, TILE)
        for left in range(0, width, TILE):
            bumps_w, slopes_w = _axis(y, width, window, tau, reach, left, TILE)
            if _meet(bumps_h, bumps_w):
                at, inside = _pixels(image, top, left, height, width, TILE)
                pixels = tl.load(cotangent + at, inside, 0.0)
                full = tl.load(images + at, inside, 1.0) >= 1  # and passes nothing on
                pixels = tl.where(full, 0.0, pixels)
                along_w = tl.dot(bumps_w, tl.trans(pixels), input_precision="ieee")
                along_h = tl.dot(bumps_h, pixels, input_precision="ieee")
                slope_x += tl.sum(along_w * slopes_h, 1)
                slope_y += tl.sum(along_h * slopes_w, 1)
    slope_x *= _scale(height, window).to(tl.float32)
    slope_y *= _scale(width, window).to(tl.float32)
    place = slopes + 2 * (image * (1 + num_points) + 1 + t)
    tl.store(place, slope_x, t < num_points)
    tl.store(place + 1, slope_y, t < num_points)


@_kernel
def _walk_back(
    maps: tl.tensor,
    fractals: tl.tensor,
    sequences: tl.tensor,
    points: tl.tensor,
    slopes: tl.tensor,
    each: tl.tensor,
    batch: tl.tensor,
    num_transforms: tl.tensor,
    num_points: tl.tensor,
    LANES: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """The gradient of each image's maps, from the last point to the first, an image a lane."""
    image = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    there = image < batch
    fractal = tl.load(fractals + image, there, 0)
    columns = tl.arange(0, COLUMNS)[None, :]
    zeros = tl.zeros((LANES, COLUMNS), tl.float32)
    of_a, of_b, of_c, of_d, of_e, of_f = zeros, zeros, zeros, zeros, zeros, zeros
    adjoint_x, adjoint_y = tl.zeros((LANES,), tl.float32), tl.zeros((LANES,), tl.float32)
    for back in range(num_points):
        t = num_points - 1 - back
        before = 2 * (image * (1 + num_points) + t)
        x, y = tl.load(points + before + 2, there, 0.0), tl.load(points + before + 3, there, 0.0)
        adjoint_x += tl.load(slopes + before + 2, there, 0.0)
        adjoint_y += tl.load(slopes + before + 3, there, 0.0)
        finite = (tl.abs(x) <= LARGEST) & (tl.abs(y) <= LARGEST)
        finite = finite & (tl.abs(adjoint_x) <= LARGEST) & (tl.abs(adjoint_y) <= LARGEST)
        adjoint_x, adjoint_y = tl.where(finite, adjoint_x, 0.0), tl.where(finite, adjoint_y, 0.0)
        alive = there & ((adjoint_x != 0) | (adjoint_y != 0))
        x = tl.load(points + before, alive, 0.0).to(tl.float32)
        y = tl.load(points + before + 1, alive, 0.0).to(tl.float32)
        n = tl.load(sequences + image * num_points + t, there, -1)
        here = n[:, None] == columns
        of_a += tl.where(here, (adjoint_x * x)[:, None], 0.0)
        of_b += tl.where(here, (adjoint_x * y)[:, None], 0.0)
        of_c += tl.where(here, (adjoint_y * x)[:, None], 0.0)
        of_d += tl.where(here, (adjoint_y * y)[:, None], 0.0)
        of_e += tl.where(here, adjoint_x[:, None], 0.0)
        of_f += tl.where(here, adjoint_y[:, None], 0.0)
        at = maps + 6 * (fractal * num_transforms + n)
        a, b = tl.load(at, alive, 0.0), tl.load(at + 1, alive, 0.0)
        c, d = tl.load(at + 2, alive, 0.0), tl.load(at + 3, alive, 0.0)
        adjoint_x, adjoint_y = a * adjoint_x + c * adjoint_y, b * adjoint_x + d * adjoint_y
    at = each + 6 * (image[:, None] * num_transforms + columns)
    known = there[:, None] & (columns < num_transforms)
    tl.store(at, of_a, known)
    tl.store(at + 1, of_b, known)
    tl.store(at + 2, of_c, known)
    tl.store(at + 3, of_d, known)
    tl.store(at + 4, of_e, known)
    tl.store(at + 5, of_f, known)


@_kernel
def _add_up(
    each: tl.tensor,
    order: tl.tensor,
    bounds: tl.tensor,
    gradient: tl.tensor,
    numbers: tl.tensor,
    NUMBERS: tl.constexpr,
) -> None:
    """The sum over the images of one fractal, in order, of what is finite."""
    fractal = tl.program_id(0).to(tl.int64)
    k = tl.arange(0, NUMBERS)
    total = tl.zeros((NUMBERS,), tl.float32)
    for i in range(tl.load(bounds + fractal), tl.load(bounds + fractal + 1)):
        one = tl.load(each + tl.load(order + i) * numbers + k, k < numbers, 0.0)
        total += tl.where(tl.abs(one) <= LARGEST, one, 0.0)
    tl.store(gradient + fractal * numbers + k, total, k < numbers)
