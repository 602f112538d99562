"""Textbook fractals, as rows a, b, c, d, e, f of (x, y) -> (a x + b y + e, c x + d y + f), y upwards."""

import math

import torch

from fractalgan.ops import Transforms

Rows = list[list[float]]

_ROOT = math.sqrt(3)


def _copies(scale: float, places: list[tuple[float, float]]) -> Rows:
    return [[scale, 0.0, 0.0, scale, x, y] for x, y in places]


def _polygon(corners: int, scale: float) -> Rows:
    angles = [2 * math.pi * k / corners + math.pi / 2 for k in range(corners)]
    return _copies(scale, [((1 - scale) * math.cos(a), (1 - scale) * math.sin(a)) for a in angles])


_THIRDS = [(x / 3, y / 3) for x in range(3) for y in range(3)]

TEXTBOOK: dict[str, Rows] = {
    "fern (Barnsley)": [
        [0.0, 0.0, 0.0, 0.16, 0.0, 0.0],
        [0.85, 0.04, -0.04, 0.85, 0.0, 1.6],
        [0.2, -0.26, 0.23, 0.22, 0.0, 1.6],
        [-0.15, 0.28, 0.26, 0.24, 0.0, 0.44],
    ],
    "triangle (Sierpinski)": _copies(0.5, [(0.0, 0.0), (0.5, 0.0), (0.25, 0.5)]),
    "dragon (Heighway)": [[0.5, -0.5, 0.5, 0.5, 0.0, 0.0], [-0.5, -0.5, 0.5, -0.5, 1.0, 0.0]],
    "C curve (Levy)": [[0.5, -0.5, 0.5, 0.5, 0.0, 0.0], [0.5, 0.5, -0.5, 0.5, 0.5, 0.5]],
    "carpet (Sierpinski)": _copies(1 / 3, [place for place in _THIRDS if place != (1 / 3, 1 / 3)]),
    "box (Vicsek)": _copies(1 / 3, [_THIRDS[k] for k in (0, 2, 4, 6, 8)]),
    "curve (Koch)": [
        [1 / 3, 0.0, 0.0, 1 / 3, 0.0, 0.0],
        [1 / 6, -_ROOT / 6, _ROOT / 6, 1 / 6, 1 / 3, 0.0],
        [1 / 6, _ROOT / 6, -_ROOT / 6, 1 / 6, 1 / 2, _ROOT / 6],
        [1 / 3, 0.0, 0.0, 1 / 3, 2 / 3, 0.0],
    ],
    "twin dragon": [[0.5, -0.5, 0.5, 0.5, 0.0, 0.0], [0.5, -0.5, 0.5, 0.5, 0.5, -0.5]],
    "pentagons (Durer)": _polygon(5, 0.381966),
    "tree (Barnsley)": [
        [0.0, 0.0, 0.0, 0.5, 0.0, 0.0],
        [0.42, -0.42, 0.42, 0.42, 0.0, 0.2],
        [0.42, 0.42, -0.42, 0.42, 0.0, 0.2],
        [0.1, 0.0, 0.0, 0.1, 0.0, 0.2],
    ],
    "maple leaf": [
        [0.14, 0.01, 0.0, 0.51, -0.08, -1.31],
        [0.43, 0.52, -0.45, 0.5, 1.49, -0.75],
        [0.45, -0.49, 0.47, 0.47, -1.62, -0.74],
        [0.49, 0.0, 0.0, 0.51, 0.02, 1.62],
    ],
    "spiral": [
        [0.787879, -0.424242, 0.242424, 0.859848, 1.758647, 1.408065],
        [-0.121212, 0.257576, 0.151515, 0.05303, -6.721654, 1.377236],
        [0.181818, -0.136364, 0.090909, 0.181818, 6.086107, 1.568035],
    ],
}


def textbook_fractal(transforms: Rows) -> Transforms:
    """A textbook fractal in our convention: rows run downwards along the first coordinate."""
    a, b, c, d, e, f = torch.tensor(transforms).T
    A = torch.stack([d, -c, -b, a], -1).view(1, -1, 2, 2)
    return Transforms(A, torch.stack([-f, e], -1).unsqueeze(0))
