"""How the numba backend sees an image: the projection of points to pixels, and bumps as tables.

A bump exp(-(i - x)^2 / tau) is cut off where it falls below 2^-23 of its peak, the precision of float32; for
tau = 1 this leaves 8 pixels per axis. Bumps are interpolated rather than computed: the position of x between
two pixels selects a row of a table, and a cubic polynomial corrects for the distance to the middle of that
row. So the loop has no exponential, for any tau.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fractalgan.ops._numba_kernels import WIDTH
from fractalgan.ops.splat import bump_reach

TABLE_ROWS = 64  # per pixel at tau = 1: the cubic's error is then 2e-9 of the peak


class View(NamedTuple):
    """The arguments of a kernel that describe the view.

    The projection [scale_h, scale_w, shift_h, shift_w] converts points from the plane to pixels. Its shifts
    include the radius of a bump, so a point begins to reach the image at 0.
    """

    projection: NDArray[Any]
    radius: int  # of a bump, which covers 2 * radius pixels for a position x between two pixels
    table: NDArray[Any]  # [rows + 1, tiles, 4, WIDTH] Taylor coefficients around the middle of each row
    middles: NDArray[Any]  # [rows + 1] of the rows, in pixels


@lru_cache(maxsize=64)
def view_of(size: tuple[int, int], window: float, tau: float) -> View:
    """The view of images of this size, [-window, window]^2, with bumps of width tau."""
    radius, table, middles = _bumps(tau)
    scales = [(length - 1) / (2 * window) for length in size]
    shifts = [scale * window + radius for scale in scales]
    return View(np.array([*scales, *shifts]), radius, table, middles)


@lru_cache(maxsize=64)
def _bumps(tau: float) -> tuple[int, NDArray[Any], NDArray[Any]]:
    radius = math.ceil(bump_reach(tau))
    width = -(-2 * radius // WIDTH) * WIDTH  # rounded up to whole vectors
    rows = math.ceil(TABLE_ROWS / math.sqrt(tau))
    pixels = np.arange(width) - (radius - 1)
    distance = pixels - ((np.arange(rows + 1) + 0.5) / rows)[:, None]
    bump, slope = np.exp(-(distance**2) / tau), 2 * distance / tau
    taylor = [bump, slope * bump, (slope**2 - 2 / tau) * bump / 2, (slope**3 - 6 * slope / tau) * bump / 6]
    table = np.stack(taylor, 1)
    table[..., 2 * radius :] = 0
    tiles = np.ascontiguousarray(table.reshape(rows + 1, 4, -1, WIDTH).transpose(0, 2, 1, 3))
    middles = (np.arange(rows + 1, dtype=np.float32) + np.float32(0.5)) / np.float32(rows)
    # a copy in memory of PyTorch's, which begins at a cache line
    return radius, torch.from_numpy(tiles).float().numpy(), middles
