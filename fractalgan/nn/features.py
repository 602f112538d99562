"""The features of a fractal embedding: gray levels or colors, and the background."""

from collections.abc import Collection, Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fractalgan.ops import Features

FEATURE_LR = 0.25  # learning rate of features, which are in [0, 1], as a share of that of transforms

FeatureName = Literal["values", "blend", "background"]


class FractalFeatures(nn.Module):
    """The features of J fractals of N transforms; without any (K = 0), it has no parameters and no state.

    Args:
        initial: values [J, N, K], blend [J, N] and background [J, K].
        learned: which of them are learned; the others stay as they are given.
    """

    values: Tensor  # [J, N, K] in [0, 1]
    blend: Tensor  # [J, N] in [0, 1]
    background: Tensor  # [J, K] in [0, 1]

    def __init__(
        self, initial: Features, learned: Collection[FeatureName] = ("values", "background")
    ) -> None:
        super().__init__()
        for name, tensor in initial._asdict().items():
            if initial.num_features and name in learned:
                setattr(self, name, nn.Parameter(tensor.clone()))
            else:
                self.register_buffer(name, tensor.clone(), persistent=initial.num_features > 0)
        self.constrain_()

    @property
    def num_features(self) -> int:
        """K."""
        return self.values.shape[-1]

    def extra_repr(self) -> str:
        learned = [name for name, _ in self.named_parameters()]
        return f"num_features={self.num_features}, learned={learned}"

    def forward(self) -> Features:
        """The features of all fractals."""
        return Features(self.values, self.blend, self.background)

    @torch.no_grad()
    def constrain_(self) -> None:
        """Bring the parameters back into [0, 1]; to be called after every optimizer step."""
        for parameter in self.parameters():
            parameter.clamp_(0, 1)


def parameter_groups(parameters: Iterable[nn.Parameter], features: FractalFeatures) -> list[dict[str, Any]]:
    """Parameters for an optimizer, in their order; those of features are in a group of their own.

    The learning rate of a group is to be multiplied by its ``lr_scale``.
    """
    of_features = set(features.parameters())
    groups: list[dict[str, Any]] = [{"params": [], "lr_scale": 1.0}, {"params": [], "lr_scale": FEATURE_LR}]
    for parameter in parameters:
        groups[parameter in of_features]["params"].append(parameter)
    return [group for group in groups if group["params"]]
