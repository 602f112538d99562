"""The loop that plays the chaos game for a picture; see :func:`measure`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fractalgan.ops._compile import compiled, inlined

Array = NDArray[Any]

FEW = 128  # transforms that are looked at one after another: most points are drawn by the most likely ones
FAR = 1e12  # a point beyond it has diverged
INVERSE_2_53 = 1 / 2**53


@compiled
def add_points(
    first: int,  # the parts first..last-1, each with a canvas and a chain of its own
    last: int,
    seed: int,
    maps: Array,  # [N, 6] float64, A in rows, then b
    cumulative: Array,  # [N] float64, probabilities up to and with each map; the last is 1
    colors: Array,  # [N, 1 + K] float64, blend and values
    pieces: Array,  # [M, 6] float64, as maps
    shades: Array,  # [M, 1 + K] float64, what a piece keeps of the features of a point, and adds
    burn_in: int,  # points of a chain before the first that is drawn
    points: int,  # per part and piece
    frame: Array,  # [4] float64: pixel = scale point + shift, for rows and columns
    canvases: Array,  # [parts, 1 + K, H, W] float32
) -> None:
    """Add the points of a fractal, as each piece places them, to the four pixels around each."""
    number = colors.shape[1] - 1
    features, shown = np.empty(number), np.empty(number)
    for part in range(first, last):
        state = _mixed(np.uint64(seed) + np.uint64(part + 1) * np.uint64(0x9E3779B97F4A7C15))
        canvas = canvases[part]
        x, y = 0.0, 0.0
        features[:] = 0.5
        for step in range(-burn_in, len(pieces) * points):
            state += np.uint64(0x9E3779B97F4A7C15)
            uniform = (_mixed(state) >> np.uint64(11)) * INVERSE_2_53
            n = chosen_transform(cumulative, uniform)
            x, y = _placed(maps[n], x, y)
            if not (abs(x) < FAR and abs(y) < FAR):
                x, y = 0.0, 0.0
            for k in range(number):
                features[k] = (1 - colors[n, 0]) * colors[n, 1 + k] + colors[n, 0] * features[k]
            if step >= 0:
                m = step // points
                row, column = _placed(pieces[m], x, y)
                for k in range(number):
                    shown[k] = shades[m, 1 + k] + shades[m, 0] * features[k]
                _add(canvas, frame[0] * row + frame[1], frame[2] * column + frame[3], shown)


@inlined
def chosen_transform(cumulative: Array, uniform: float) -> int:
    """The first transform whose cumulative probability is above a number, or the last one."""
    n, high = 0, len(cumulative) - 1
    while n < min(FEW, high) and uniform >= cumulative[n]:
        n += 1
    if n < FEW:
        return n
    while n < high:
        middle = (n + high) // 2
        if uniform >= cumulative[middle]:
            n = middle + 1
        else:
            high = middle
    return n


@inlined
def _placed(map_: Array, x: float, y: float) -> tuple[float, float]:
    return (
        map_[0] * x + map_[1] * y + map_[4],
        map_[2] * x + map_[3] * y + map_[5],
    )


@inlined
def _add(canvas: Array, row: float, column: float, features: Array) -> None:
    """Share a point among the four pixels around it, by its distances from them."""
    height, width = canvas.shape[1], canvas.shape[2]
    if not (-1 < row < height and -1 < column < width):
        return
    top, left = int(np.floor(row)), int(np.floor(column))
    down, right = row - top, column - left
    for i in range(2):
        for j in range(2):
            h, w = top + i, left + j
            if 0 <= h < height and 0 <= w < width:
                share = (down if i else 1 - down) * (right if j else 1 - right)
                canvas[0, h, w] += share
                for k in range(len(features)):
                    canvas[1 + k, h, w] += share * features[k]


@inlined
def _mixed(word: Any) -> Any:
    """One round of SplitMix64 (Steele et al., OOPSLA 2014)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
