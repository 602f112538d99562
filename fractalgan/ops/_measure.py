"""The chaos game of :func:`measure` on the CPU: threads draw side by side, each on a canvas of its own.

This module takes and returns tensors; the loop is in ``_measure_kernel.py``.
"""

import math

import numpy as np
import torch
from torch import Tensor

from fractalgan.ops import _fused
from fractalgan.ops._threads import parallel_for
from fractalgan.ops.bounding_box import burn_in
from fractalgan.ops.fractals import Fractals
from fractalgan.ops.pieces import Pieces

MAX_PARTS = 4  # that are drawn side by side; results depend on it, and not on the number of threads
MIN_BURN_IN = 64  # points of a chain before the first that is drawn
CANVAS_NUMBERS = 2**28  # of all canvases, if a picture does not need more: 1 GB


def count_points(
    fractal: Fractals,  # A [N, 2, 2], b [N, 2], values [N, K], blend [N]
    probabilities: Tensor,  # [N], which sum to 1
    pieces: Pieces,  # M >= 1 of them
    size: int,
    frame: list[float],  # scale and shift of rows and of columns: pixel = scale v + shift
    num_points: int,
    seed: int,
) -> tuple[Tensor, int]:
    """The points at each pixel with the sums of their features [1 + K, H, W], and how many were placed."""
    if (reason := _fused.unavailable_reason("numba")) is not None:
        raise RuntimeError(f"pictures need numba, which is not available: {reason}")
    from fractalgan.ops import _measure_kernel as kernel  # which imports numba

    (A, b), (values, blend, _) = fractal
    channels = 1 + fractal.features.num_features
    parts = max(1, min(MAX_PARTS, CANVAS_NUMBERS // (channels * size**2)))
    skipped = max(MIN_BURN_IN, burn_in(A, probabilities))
    points = math.ceil(num_points / (parts * len(pieces.share)))
    likely = probabilities.argsort(descending=True)  # those are found first
    table = [
        torch.cat([A.flatten(1), b], 1)[likely],
        probabilities[likely].cumsum(0),
        torch.cat([blend[:, None], values], 1)[likely],
        torch.cat([pieces.A.flatten(1), pieces.b], 1),
        torch.cat([pieces.kept[:, None], pieces.added], 1),
    ]
    arrays = [each.contiguous().numpy() for each in table]
    canvases = torch.zeros(parts, channels, size, size)

    def draw(first: int, last: int) -> None:
        kernel.add_points(first, last, seed, *arrays, skipped, points, np.array(frame), canvases.numpy())

    parallel_for(draw, parts)
    return canvases.sum(0) if parts > 1 else canvases[0], points * parts * len(pieces.share)
