"""Transforms with their features as one tensor, which the fused backends take."""

import torch
from torch import Tensor

from fractalgan.ops.affine import Transforms
from fractalgan.ops.features import Features


def pack(transforms: Transforms, features: Features) -> Tensor:
    """The rows of A and b [J, N, 6]; with K features also their values and blend, [J, N, 7 + K]."""
    carried = [features.values, features.blend.unsqueeze(-1)] if features.num_features else []
    return torch.cat([transforms.A.flatten(-2), transforms.b, *carried], -1)
