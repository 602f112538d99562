"""What transforms carry besides A and b: gray levels or colors, and how points take them over."""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Features(NamedTuple):
    """K numbers per transform, a gray level (K = 1), a color (K = 3), or none (K = 0), and the background.

    A point has the features of the transform that made it, blended with those of the point before it, as
    the color coordinate of fractal flames is (Draves & Reckase 2003):
    f(t) = (1 - blend) values + blend f(t-1). The first point of a chain has its transform's own.
    """

    values: Tensor  # [J, N, K] in [0, 1]
    blend: Tensor  # [J, N] in [0, 1]; 0 for a transform's own features
    background: Tensor  # [J, K] in [0, 1], where there are no points

    @property
    def num_features(self) -> int:
        """K."""
        return self.values.shape[-1]

    @classmethod
    def none(cls, b: Tensor) -> Self:
        """Those of transforms b [J, N, 2] that have none: K = 0."""
        return cls(b.new_empty(*b.shape[:2], 0), b.new_zeros(b.shape[:2]), b.new_empty(len(b), 0))


def random_features(b: Tensor, num_features: int, generator: torch.Generator | None = None) -> Features:
    """Random gray levels or colors for transforms b [J, N, 2], uniform in [0, 1], on black.

    Args:
        b: of the transforms.
        num_features: K.
        generator: the random number generator to use. Default: PyTorch's global one.
    """
    values = torch.rand(*b.shape[:2], num_features, generator=generator).to(b)
    return Features(values, b.new_zeros(b.shape[:2]), b.new_zeros(len(b), num_features))


def point_features(
    features: Features,
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, T]
) -> Tensor:  # [B, T, K]
    """The features of the points of a chain along each index sequence, differentiable.

    Args:
        features: those of J fractals.
        fractals: the fractal of each sequence, integers ``[B]`` in 0..J-1.
        sequences: index sequences, integers ``[B, T]`` in 0..N-1.

    Returns:
        Features ``[B, T, K]`` in [0, 1].
    """
    rows = fractals.unsqueeze(-1).expand_as(sequences)
    own, blend = features.values[rows, sequences], features.blend[rows, sequences].unsqueeze(-1)
    if own.numel() == 0:
        return own
    points = [own[:, 0]]
    for t in range(1, sequences.shape[1]):
        points.append((1 - blend[:, t]) * own[:, t] + blend[:, t] * points[-1])
    return torch.stack(points, 1)
