"""Systems with known answers, and an independent rendering of Eqs. 3 and 8 with plain numbers."""

import math

import torch
from torch import Tensor

from fractalgan.ops import Transforms, anderson_farrell


def sierpinski(dtype: torch.dtype = torch.float64) -> Transforms:
    """Three maps that halve the distance to the corners (0, 0), (1, 0), (0, 1)."""
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=dtype)
    return Transforms((torch.eye(2, dtype=dtype) / 2).expand(1, 3, 2, 2).clone(), corners.unsqueeze(0) / 2)


def random_systems(num_fractals: int, num_transforms: int, seed: int = 0) -> Transforms:
    """Anderson & Farrell's systems in float64."""
    A, b = anderson_farrell(num_fractals, num_transforms, torch.Generator().manual_seed(seed))
    return Transforms(A.double(), b.double())


def by_hand(
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
