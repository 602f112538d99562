"""Gradient clipping for fractals that are learned side by side."""

from functools import reduce

import torch
from torch import Tensor


def clip_per_fractal(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    """Gradients [J, ...], scaled per fractal so that its joint norm over all of them is <= ``max_norm``."""
    squares = reduce(torch.add, (gradient.flatten(1).square().sum(1) for gradient in gradients))
    scale = (max_norm / squares.sqrt().clamp_min(1e-12)).clamp_max(1)
    return [gradient * scale.view(-1, *[1] * (gradient.ndim - 1)) for gradient in gradients]
