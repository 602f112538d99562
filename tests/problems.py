"""Fractals with known attractors, and an independent implementation of Eqs. 3 and 8 in plain Python."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from fractalgan.ops import Transforms, anderson_farrell


def sierpinski(dtype: torch.dtype = torch.float64) -> Transforms:
    """Sierpinski's triangle: three transforms that halve the distance to (0, 0), (1, 0) and (0, 1)."""
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=dtype)
    return Transforms((torch.eye(2, dtype=dtype) / 2).expand(1, 3, 2, 2).clone(), corners.unsqueeze(0) / 2)


def random_fractals(num_fractals: int, num_transforms: int, seed: int = 0) -> Transforms:
    """Fractals by Anderson & Farrell's procedure, in float64."""
    A, b = anderson_farrell(num_fractals, num_transforms, torch.Generator().manual_seed(seed))
    return Transforms(A.double(), b.double())


def render_with_loops(
    transforms: Transforms,
    fractal: int,
    sequence: list[int],
    start: Tensor,
    size: int,
    window: float,
    tau: float,
) -> list[list[float]]:
    """One image by loops over Python floats."""
    image = [[0.0] * size for _ in range(size)]
    x, y = start.tolist()
    for z in sequence:
        (a, b), (c, d) = transforms.A[fractal, z].tolist()
        e, f = transforms.b[fractal, z].tolist()
        x, y = a * x + b * y + e, c * x + d * y + f
        row, column = ((v + window) / (2 * window) * (size - 1) for v in (x, y))
        for h in range(size):
            for w in range(size):
                image[h][w] += math.exp(-((h - row) ** 2 + (w - column) ** 2) / tau)
    return [[min(value, 1.0) for value in line] for line in image]


def correlation(first: ArrayLike, second: ArrayLike) -> float:
    """The correlation coefficient of the pixels of two images."""
    return float(np.corrcoef(np.ravel(first), np.ravel(second))[0, 1])
