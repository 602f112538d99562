"""The kernels of the Triton backend; ``_triton.py`` launches them."""

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

FLOAT32_MAX = tl.constexpr(3.4e38)  # rounded down


def _jit(function: Callable[..., Any]) -> Any:
    return triton.jit(function)


@_jit
def iterate(
    transforms: tl.tensor,
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
    """Compute the points v(t) = A v(t-1) + b (Eq. 3), one chain per thread."""
    image = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    exists = image < batch
    fractal = tl.load(fractals + image, exists, 0)
    x = tl.load(start + 2 * image, exists, 0.0).to(tl.float64)
    y = tl.load(start + 2 * image + 1, exists, 0.0).to(tl.float64)
    address = points + 2 * image * (1 + num_points)
    tl.store(address, x, exists)
    tl.store(address + 1, y, exists)
    for t in range(num_points):
        n = tl.load(sequences + image * num_points + t, exists, 0)
        valid = (fractal >= 0) & (fractal < num_fractals) & (n >= 0) & (n < num_transforms)
        at = transforms + 6 * (fractal * num_transforms + n)
        a, b, c = (tl.load(at, valid, float("nan")), tl.load(at + 1, valid, 0.0), tl.load(at + 2, valid, 0.0))
        d, e, f = (tl.load(at + 3, valid, 0.0), tl.load(at + 4, valid, 0.0), tl.load(at + 5, valid, 0.0))
        x, y = a * x + b * y + e, c * x + d * y + f
        # NaN once a point exceeds the range of float32, so that it never returns
        lost = (tl.abs(x) > FLOAT32_MAX) | (tl.abs(y) > FLOAT32_MAX)
        x, y = tl.where(lost, float("nan"), x), tl.where(lost, float("nan"), y)
        tl.store(address + 2 * t + 2, x, exists)
        tl.store(address + 2 * t + 3, y, exists)


@_jit
def _scale(length: tl.tensor, window: tl.tensor) -> tl.tensor:
    """Pixels per unit of the plane."""
    return (length - 1) / (2 * window)


@_jit
def _axis(
    points: tl.tensor,
    length: tl.tensor,
    window: tl.tensor,
    tau: tl.tensor,
    reach: tl.tensor,
    first: tl.tensor,
    TILE: tl.constexpr,
) -> tl.tensor:
    """Bumps of P points along one axis of a tile that begins at pixel first, and their slopes: [P, TILE]."""
    position = (points + window) * _scale(length, window)
    position = tl.where(tl.abs(position) < 1e9, position, -1e9)  # NaN as well
    pixel = tl.floor(position)
    fraction = (position - pixel).to(tl.float32)
    distance = (first + tl.arange(0, TILE)[None, :] - pixel.to(tl.int32)[:, None]).to(tl.float32)
    distance -= fraction[:, None]
    bump = tl.where(tl.abs(distance) < reach, tl.exp(-distance * distance / tau), 0.0)
    return bump, bump * distance * (2 / tau)


@_jit
def _load_points(points: tl.tensor, chain: tl.tensor, t: tl.tensor, num_points: tl.tensor) -> tl.tensor:
    """The coordinates of v(t + 1) of a chain; NaN after its last point."""
    address = points + 2 * (chain * (1 + num_points) + 1 + t)
    exists = t < num_points
    return tl.load(address, exists, float("nan")), tl.load(address + 1, exists, float("nan"))


@_jit
def _any_visible(bumps_h: tl.tensor, bumps_w: tl.tensor) -> tl.tensor:
    """Whether the bump of any point reaches the tile along both axes."""
    return tl.max(tl.max(bumps_h, 1) * tl.max(bumps_w, 1), 0) > 0


@_jit
def _pixel_offsets(
    image: tl.tensor, top: tl.tensor, left: tl.tensor, height: tl.tensor, width: tl.tensor, TILE: tl.constexpr
) -> tl.tensor:
    """The offsets of a tile's pixels in the images, and whether they are inside the image: [TILE, TILE]."""
    h, w = top + tl.arange(0, TILE)[:, None], left + tl.arange(0, TILE)[None, :]
    return image * height * width + h * width + w, (h < height) & (w < width)


@_jit
def splat(
    points: tl.tensor,
    images: tl.tensor,
    chains: tl.tensor,
    num_points: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    window: tl.tensor,
    tau: tl.tensor,
    reach: tl.tensor,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
) -> None:
    """Draw one tile of one image: the sum of all bumps (Eq. 8), then min(I, 1)."""
    image, window = tl.program_id(0).to(tl.int64), tl.load(window)
    tiles_across = tl.cdiv(width, TILE)
    top, left = tl.program_id(1) // tiles_across * TILE, tl.program_id(1) % tiles_across * TILE
    total = tl.zeros((TILE, TILE), tl.float32)
    for chain in range(image * chains, (image + 1) * chains):
        for first in range(0, num_points, CHUNK):
            x, y = _load_points(points, chain, first + tl.arange(0, CHUNK), num_points)
            bumps_h, _ = _axis(x, height, window, tau, reach, top, TILE)
            bumps_w, _ = _axis(y, width, window, tau, reach, left, TILE)
            if _any_visible(bumps_h, bumps_w):
                total += tl.dot(tl.trans(bumps_h), bumps_w, input_precision="ieee")
    at, inside = _pixel_offsets(image, top, left, height, width, TILE)
    tl.store(images + at, tl.minimum(total, 1.0), inside)


@_jit
def gather(
    points: tl.tensor,
    cotangent: tl.tensor,
    images: tl.tensor,
    slopes: tl.tensor,
    chains: tl.tensor,
    num_points: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    window: tl.tensor,
    tau: tl.tensor,
    reach: tl.tensor,
    TILE: tl.constexpr,
    CHUNK: tl.constexpr,
) -> None:
    """Compute the gradient of a chunk of one chain's points through their own bumps alone."""
    chain, window = tl.program_id(0).to(tl.int64), tl.load(window)
    image = chain // chains
    t = tl.program_id(1) * CHUNK + tl.arange(0, CHUNK)
    x, y = _load_points(points, chain, t, num_points)
    slope_x, slope_y = tl.zeros((CHUNK,), tl.float32), tl.zeros((CHUNK,), tl.float32)
    for top in range(0, height, TILE):
        bumps_h, slopes_h = _axis(x, height, window, tau, reach, top, TILE)
        for left in range(0, width, TILE):
            bumps_w, slopes_w = _axis(y, width, window, tau, reach, left, TILE)
            if _any_visible(bumps_h, bumps_w):
                at, inside = _pixel_offsets(image, top, left, height, width, TILE)
                pixels = tl.load(cotangent + at, inside, 0.0)
                full = tl.load(images + at, inside, 1.0) >= 1  # a full pixel passes no gradient
                pixels = tl.where(full, 0.0, pixels)
                sums_h = tl.dot(bumps_w, tl.trans(pixels), input_precision="ieee")
                sums_w = tl.dot(bumps_h, pixels, input_precision="ieee")
                slope_x += tl.sum(sums_h * slopes_h, 1)
                slope_y += tl.sum(sums_w * slopes_w, 1)
    slope_x *= _scale(height, window).to(tl.float32)
    slope_y *= _scale(width, window).to(tl.float32)
    address = slopes + 2 * (chain * (1 + num_points) + 1 + t)
    tl.store(address, slope_x, t < num_points)
    tl.store(address + 1, slope_y, t < num_points)


@_jit
def walk_back(
    transforms: tl.tensor,
    fractals: tl.tensor,
    sequences: tl.tensor,
    points: tl.tensor,
    slopes: tl.tensor,
    per_image: tl.tensor,
    batch: tl.tensor,
    num_transforms: tl.tensor,
    num_points: tl.tensor,
    LANES: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """Compute the gradient of each chain, from the last point to the first, one chain per thread."""
    image = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    exists = image < batch
    fractal = tl.load(fractals + image, exists, 0)
    columns = tl.arange(0, COLUMNS)[None, :]
    zeros = tl.zeros((LANES, COLUMNS), tl.float32)
    grad_a, grad_b, grad_c, grad_d, grad_e, grad_f = zeros, zeros, zeros, zeros, zeros, zeros
    adjoint_x, adjoint_y = tl.zeros((LANES,), tl.float32), tl.zeros((LANES,), tl.float32)
    for back in range(num_points):
        t = num_points - 1 - back
        before = 2 * (image * (1 + num_points) + t)
        x, y = tl.load(points + before + 2, exists, 0.0), tl.load(points + before + 3, exists, 0.0)
        adjoint_x += tl.load(slopes + before + 2, exists, 0.0)
        adjoint_y += tl.load(slopes + before + 3, exists, 0.0)
        finite = (tl.abs(x) <= FLOAT32_MAX) & (tl.abs(y) <= FLOAT32_MAX)
        finite = finite & (tl.abs(adjoint_x) <= FLOAT32_MAX) & (tl.abs(adjoint_y) <= FLOAT32_MAX)
        adjoint_x, adjoint_y = tl.where(finite, adjoint_x, 0.0), tl.where(finite, adjoint_y, 0.0)
        nonzero = exists & ((adjoint_x != 0) | (adjoint_y != 0))
        x = tl.load(points + before, nonzero, 0.0).to(tl.float32)
        y = tl.load(points + before + 1, nonzero, 0.0).to(tl.float32)
        n = tl.load(sequences + image * num_points + t, exists, -1)
        selected = n[:, None] == columns
        grad_a += tl.where(selected, (adjoint_x * x)[:, None], 0.0)
        grad_b += tl.where(selected, (adjoint_x * y)[:, None], 0.0)
        grad_c += tl.where(selected, (adjoint_y * x)[:, None], 0.0)
        grad_d += tl.where(selected, (adjoint_y * y)[:, None], 0.0)
        grad_e += tl.where(selected, adjoint_x[:, None], 0.0)
        grad_f += tl.where(selected, adjoint_y[:, None], 0.0)
        at = transforms + 6 * (fractal * num_transforms + n)
        a, b = tl.load(at, nonzero, 0.0), tl.load(at + 1, nonzero, 0.0)
        c, d = tl.load(at + 2, nonzero, 0.0), tl.load(at + 3, nonzero, 0.0)
        adjoint_x, adjoint_y = a * adjoint_x + c * adjoint_y, b * adjoint_x + d * adjoint_y
    at = per_image + 6 * (image[:, None] * num_transforms + columns)
    valid = exists[:, None] & (columns < num_transforms)
    tl.store(at, grad_a, valid)
    tl.store(at + 1, grad_b, valid)
    tl.store(at + 2, grad_c, valid)
    tl.store(at + 3, grad_d, valid)
    tl.store(at + 4, grad_e, valid)
    tl.store(at + 5, grad_f, valid)


@_jit
def sum_by_fractal(
    per_image: tl.tensor,
    order: tl.tensor,
    bounds: tl.tensor,
    gradient: tl.tensor,
    count: tl.tensor,
    COUNT: tl.constexpr,
) -> None:
    """Add the finite numbers of per_image [B, count] over the images of one fractal, in their order."""
    fractal = tl.program_id(0).to(tl.int64)
    k = tl.arange(0, COUNT)
    total = tl.zeros((COUNT,), tl.float32)
    for i in range(tl.load(bounds + fractal), tl.load(bounds + fractal + 1)):
        numbers = tl.load(per_image + tl.load(order + i) * count + k, k < count, 0.0)
        total += tl.where(tl.abs(numbers) <= FLOAT32_MAX, numbers, 0.0)
    tl.store(gradient + fractal * count + k, total, k < count)
