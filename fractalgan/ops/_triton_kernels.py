"""The kernels of the Triton backend; ``_triton.py`` launches them."""

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

FLOAT32_MAX = tl.constexpr(3.4e38)  # rounded down


def jit(function: Callable[..., Any]) -> Any:
    """``triton.jit``, which has no types of its own."""
    return triton.jit(function)


@jit
def _load_transform(
    transforms: tl.tensor,
    fractal: tl.tensor,
    n: tl.tensor,
    num_fractals: tl.tensor,
    num_transforms: tl.tensor,
) -> tl.tensor:
    """The six numbers of transforms n, the rows of A, then b; NaN where a transform does not exist."""
    valid = (fractal >= 0) & (fractal < num_fractals) & (n >= 0) & (n < num_transforms)
    at = transforms + 6 * (fractal * num_transforms + n)
    a, b, c = (tl.load(at, valid, float("nan")), tl.load(at + 1, valid, 0.0), tl.load(at + 2, valid, 0.0))
    d, e, f = (tl.load(at + 3, valid, 0.0), tl.load(at + 4, valid, 0.0), tl.load(at + 5, valid, 0.0))
    return a, b, c, d, e, f


@jit
def iterate(
    transforms: tl.tensor, fractals: tl.tensor, sequences: tl.tensor, start: tl.tensor, points: tl.tensor,
    num_chains: tl.tensor, num_fractals: tl.tensor, num_transforms: tl.tensor, num_points: tl.tensor,
    LANES: tl.constexpr,
) -> None:  # fmt: skip
    """Compute the points v(t) = A v(t-1) + b (Eq. 3), one chain per thread."""
    chain = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    exists = chain < num_chains
    fractal = tl.load(fractals + chain, exists, 0)
    x = tl.load(start + 2 * chain, exists, 0.0).to(tl.float64)
    y = tl.load(start + 2 * chain + 1, exists, 0.0).to(tl.float64)
    # Indices are loaded two points early and transforms one, so that no point waits for memory.
    n = tl.load(sequences + chain * num_points, exists, 0)
    a, b, c, d, e, f = _load_transform(transforms, fractal, n, num_fractals, num_transforms)
    n = tl.load(sequences + chain * num_points + 1, exists & (num_points > 1), 0)
    for t in range(num_points):
        x, y = a * x + b * y + e, c * x + d * y + f
        a, b, c, d, e, f = _load_transform(transforms, fractal, n, num_fractals, num_transforms)
        n = tl.load(sequences + chain * num_points + t + 2, exists & (t + 2 < num_points), 0)
        # NaN once a point exceeds the range of float32, so that it never returns
        lost = (tl.abs(x) > FLOAT32_MAX) | (tl.abs(y) > FLOAT32_MAX)
        x, y = tl.where(lost, float("nan"), x), tl.where(lost, float("nan"), y)
        address = points + 2 * (chain * num_points + t)
        tl.store(address, x, exists)
        tl.store(address + 1, y, exists)


@jit
def _load_points(points: tl.tensor, i: tl.tensor, exists: tl.tensor) -> tl.tensor:
    """The coordinates of points i; NaN for those that do not exist."""
    return tl.load(points + 2 * i, exists, float("nan")), tl.load(points + 2 * i + 1, exists, float("nan"))


@jit
def _scale(length: tl.tensor, window: tl.tensor) -> tl.tensor:
    """Pixels per unit of the plane."""
    return (length - 1) / (2 * window)


@jit
def _locate(points: tl.tensor, length: tl.tensor, window: tl.tensor) -> tl.tensor:
    """The pixels of points along one axis, and the fractions by which points are beyond them."""
    position = (points + window) * _scale(length, window)
    position = tl.where(tl.abs(position) < 1e9, position, -1e9)  # NaN as well
    pixel = tl.floor(position)
    return pixel.to(tl.int32), (position - pixel).to(tl.float32)


@jit
def _bump(pixels: tl.tensor, fraction: tl.tensor, tau: tl.tensor, reach: tl.tensor) -> tl.tensor:
    """Bumps at a number of pixels after those of their points, along one axis, and their slopes."""
    distance = pixels.to(tl.float32) - fraction
    bump = tl.where(tl.abs(distance) < reach, tl.exp(-distance * distance / tau), 0.0)
    return bump, bump * distance * (2 / tau)


@jit
def _margin(reach: tl.tensor) -> tl.tensor:
    """A bump whose point is in pixel i reaches no pixels but i - margin + 1 to i + margin."""
    return tl.ceil(reach).to(tl.int32)


@jit
def _cell(pixel: tl.tensor, length: tl.tensor, CELL: tl.constexpr) -> tl.tensor:
    """The cells of pixels along one axis; pixels outside of the image are in the cells at its border."""
    return tl.minimum(tl.maximum(pixel, 0), length - 1) // CELL


@jit
def assign_cells(
    points: tl.tensor, cells: tl.tensor,
    count: tl.tensor, num_points: tl.tensor, num_cells: tl.tensor,
    height: tl.tensor, width: tl.tensor, window: tl.tensor, reach: tl.tensor,
    CELL: tl.constexpr, CHUNK: tl.constexpr,
) -> None:  # fmt: skip
    """Compute the cell of each point, counted over all images; num_cells if no bump reaches its image."""
    i, window = tl.program_id(0).to(tl.int64) * CHUNK + tl.arange(0, CHUNK), tl.load(window)
    x, y = _load_points(points, i, i < count)
    pixel_h, _ = _locate(x, height, window)
    pixel_w, _ = _locate(y, width, window)
    margin = _margin(reach)
    visible = (pixel_h >= -margin) & (pixel_h < height + margin)
    visible = visible & (pixel_w >= -margin) & (pixel_w < width + margin)
    row = i // num_points * tl.cdiv(height, CELL) + _cell(pixel_h, height, CELL)
    cell = row * tl.cdiv(width, CELL) + _cell(pixel_w, width, CELL)
    tl.store(cells + i, tl.where(visible, cell, num_cells), i < count)


@jit
def splat(
    points: tl.tensor, features: tl.tensor, bounds: tl.tensor, sums: tl.tensor,
    height: tl.tensor, width: tl.tensor, window: tl.tensor, tau: tl.tensor, reach: tl.tensor,
    TILE: tl.constexpr, CELL: tl.constexpr, CHUNK: tl.constexpr,
) -> None:  # fmt: skip
    """Draw one tile of one of the 1 + K sums of an image: of all bumps that reach it (Eq. 8), then
    of bumps times a feature.

    The points of cell k are those from bounds[k] to bounds[k + 1].
    """
    plane, number = tl.program_id(1), tl.num_programs(1) - 1
    window, margin = tl.load(window), _margin(reach)
    down, across = tl.cdiv(height, TILE), tl.cdiv(width, TILE)
    image = (tl.program_id(0) // (down * across)).to(tl.int64)
    top, left = tl.program_id(0) // across % down * TILE, tl.program_id(0) % across * TILE
    h, w = top + tl.arange(0, TILE)[None, :], left + tl.arange(0, TILE)[None, :]
    first_row, last_row = _cell(top - margin, height, CELL), _cell(top + TILE - 1 + margin, height, CELL)
    first_column, last_column = (
        _cell(left - margin, width, CELL),
        _cell(left + TILE - 1 + margin, width, CELL),
    )
    total = tl.zeros((TILE, TILE), tl.float32)
    for row in range(first_row, last_row + 1):  # in which the cells are next to each other
        in_row = bounds + (image * tl.cdiv(height, CELL) + row) * tl.cdiv(width, CELL)
        first, last = tl.load(in_row + first_column), tl.load(in_row + last_column + 1)
        for at in range(first, last, CHUNK):
            i = at + tl.arange(0, CHUNK)
            x, y = _load_points(points, i, i < last)
            pixel_h, fraction_h = _locate(x, height, window)
            pixel_w, fraction_w = _locate(y, width, window)
            bumps_h, _ = _bump(h - pixel_h[:, None], fraction_h[:, None], tau, reach)
            bumps_w, _ = _bump(w - pixel_w[:, None], fraction_w[:, None], tau, reach)
            weights = tl.load(features + i * number + plane - 1, (i < last) & (plane > 0), 1.0)
            total += tl.dot(tl.trans(bumps_h * weights[:, None]), bumps_w, input_precision="ieee")
    h = top + tl.arange(0, TILE)[:, None]
    address = sums + ((image * (number + 1) + plane) * height + h) * width + w
    tl.store(address, total, (h < height) & (w < width))


@jit
def gather(
    points: tl.tensor, features: tl.tensor, cotangent: tl.tensor, slopes: tl.tensor, of_features: tl.tensor,
    count: tl.tensor, num_points: tl.tensor, planes: tl.tensor,
    height: tl.tensor, width: tl.tensor, window: tl.tensor, tau: tl.tensor, reach: tl.tensor,
    COLUMNS: tl.constexpr, CHUNK: tl.constexpr,
) -> None:  # fmt: skip
    """Compute the gradient of a chunk of points through their own bumps alone, from the pixels in reach.

    Also that of their features.
    """
    i, window = tl.program_id(0).to(tl.int64) * CHUNK + tl.arange(0, CHUNK), tl.load(window)
    exists = i < count
    x, y = _load_points(points, i, exists)
    pixel_h, fraction_h = _locate(x, height, window)
    pixel_w, fraction_w = _locate(y, width, window)
    margin = _margin(reach)
    rows, columns = tl.minimum(2 * margin, height), tl.minimum(2 * margin, width)
    # Moved into the image, this block of pixels still has all those of the image that the bump reaches.
    top = tl.minimum(tl.maximum(pixel_h - margin + 1, 0), height - rows)
    left = tl.minimum(tl.maximum(pixel_w - margin + 1, 0), width - columns)
    slope_x, slope_y = tl.zeros((CHUNK,), tl.float32), tl.zeros((CHUNK,), tl.float32)
    for plane in range(planes):
        feature = i * (planes - 1) + plane - 1
        weights = tl.load(features + feature, exists & (plane > 0), 1.0)
        of_feature = tl.zeros((CHUNK,), tl.float32)
        for first in range(0, columns, COLUMNS):
            column = first + tl.arange(0, COLUMNS)[None, :]
            w, inside = left[:, None] + column, exists[:, None] & (column < columns)
            bumps_w, slopes_w = _bump(w - pixel_w[:, None], fraction_w[:, None], tau, reach)
            sums_h, sums_w = tl.zeros((CHUNK, COLUMNS), tl.float32), tl.zeros((CHUNK, COLUMNS), tl.float32)
            for row in range(rows):
                h = top + row
                bump_h, slope_h = _bump(h - pixel_h, fraction_h, tau, reach)
                address = (((i // num_points * planes + plane) * height + h) * width)[:, None] + w
                pixels = tl.load(cotangent + address, inside, 0.0)
                sums_h += slope_h[:, None] * pixels
                sums_w += bump_h[:, None] * pixels
            slope_x += weights * tl.sum(sums_h * bumps_w, 1)
            slope_y += weights * tl.sum(sums_w * slopes_w, 1)
            of_feature += tl.sum(sums_w * bumps_w, 1)
        tl.store(of_features + feature, of_feature, exists & (plane > 0))
    tl.store(slopes + 2 * i, slope_x * _scale(height, window).to(tl.float32), exists)
    tl.store(slopes + 2 * i + 1, slope_y * _scale(width, window).to(tl.float32), exists)


@jit
def walk_back(
    transforms: tl.tensor, fractals: tl.tensor, sequences: tl.tensor, slopes: tl.tensor,
    num_chains: tl.tensor, num_fractals: tl.tensor, num_transforms: tl.tensor, num_points: tl.tensor,
    LANES: tl.constexpr,
) -> None:  # fmt: skip
    """Replace each point's gradient through its own bump by that through all later points as well.

    One chain per thread, from the last point to the first. Points that are not finite have the gradient 0.
    """
    chain = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    exists = chain < num_chains
    fractal = tl.load(fractals + chain, exists, 0)
    through_x, through_y = tl.zeros((LANES,), tl.float32), tl.zeros((LANES,), tl.float32)
    last = (chain + 1) * num_points - 1
    n = tl.load(sequences + last, exists, 0)
    for back in range(num_points):
        i, has_previous = last - back, exists & (back + 1 < num_points)
        a, b, c, d, _, _ = _load_transform(transforms, fractal, n, num_fractals, num_transforms)
        n = tl.load(sequences + i - 1, has_previous, 0)  # a point early, so that none waits for memory
        x = tl.load(slopes + 2 * i, exists, 0.0) + through_x
        y = tl.load(slopes + 2 * i + 1, exists, 0.0) + through_y
        finite = (tl.abs(x) <= FLOAT32_MAX) & (tl.abs(y) <= FLOAT32_MAX)
        x, y = tl.where(finite, x, 0.0), tl.where(finite, y, 0.0)
        tl.store(slopes + 2 * i, x, exists)
        tl.store(slopes + 2 * i + 1, y, exists)
        nonzero = (x != 0) | (y != 0)  # 0 times a transform that is not finite would be NaN
        through_x, through_y = tl.where(nonzero, a * x + c * y, 0.0), tl.where(nonzero, b * x + d * y, 0.0)


@jit
def sum_by_transform(
    sequences: tl.tensor, start: tl.tensor, points: tl.tensor, slopes: tl.tensor, of_carried: tl.tensor,
    per_chain: tl.tensor, num_transforms: tl.tensor, num_points: tl.tensor, width: tl.tensor,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, CHUNK: tl.constexpr,
) -> None:  # fmt: skip
    """Add up the gradients of one chain's points for each transform: those of A, b, features and blend."""
    chain = tl.program_id(0).to(tl.int64)
    rows, k = tl.arange(0, ROWS)[:, None], tl.arange(0, COLUMNS)[None, :]
    of_A = k < 4
    starts = tl.load(start + 2 * chain + k % 2).to(tl.float64)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for first in range(0, num_points, CHUNK):
        t = first + tl.arange(0, CHUNK)
        i, exists = chain * num_points + t[:, None], (t[:, None] < num_points) & (k < 6)
        slope = tl.load(slopes + 2 * i + tl.where(of_A, k // 2, k % 2), exists, 0.0)
        before = tl.load(points + 2 * i - 2 + k % 2, exists & (t[:, None] > 0), starts)
        product = slope * tl.where(of_A, before, 1.0).to(tl.float32)
        has_carried = (t[:, None] < num_points) & (k >= 6) & (k < width)
        product += tl.load(of_carried + i * (width - 6) + k - 6, has_carried, 0.0)
        product = tl.where(tl.abs(product) <= FLOAT32_MAX, product, 0.0)  # else NaN for all transforms
        n = tl.load(sequences + chain * num_points + t, t < num_points, -1)
        selected = (rows == n[None, :]).to(tl.float32)
        total += tl.dot(selected, product, input_precision="ieee")
    address = per_chain + width * (chain * num_transforms + rows) + k
    tl.store(address, total, (rows < num_transforms) & (k < width))


@jit
def sum_by_fractal(
    per_chain: tl.tensor,
    order: tl.tensor,
    bounds: tl.tensor,
    gradient: tl.tensor,
    count: tl.tensor,
    COUNT: tl.constexpr,
    CHUNK: tl.constexpr,
) -> None:
    """Add the finite numbers of per_chain [B C, count] over the chains of one fractal."""
    fractal = tl.program_id(0).to(tl.int64)
    k = tl.arange(0, COUNT)
    total = tl.zeros((COUNT,), tl.float32)
    last = tl.load(bounds + fractal + 1)
    for first in range(tl.load(bounds + fractal), last, CHUNK):
        i = first + tl.arange(0, CHUNK)
        chain = tl.load(order + i, i < last, 0)
        exists = (i < last)[:, None] & (k < count)[None, :]
        numbers = tl.load(per_chain + chain[:, None] * count + k[None, :], exists, 0.0)
        total += tl.sum(tl.where(tl.abs(numbers) <= FLOAT32_MAX, numbers, 0.0), 0)
    tl.store(gradient + fractal * count + k, total, k < count)
