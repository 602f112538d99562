"""Losses of data set distillation: how well drawn images stand for real ones, by features."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

DistillationLoss = Literal["ridge", "distribution"]


def ridge_weights(features: Tensor, labels: Tensor, num_classes: int, ridge: float) -> Tensor:
    """The linear layer [D, classes] that ridge regression fits to features [S, D] and labels [S].

    Labels are one-hot vectors less their mean. It is solved in its dual form, by a kernel of [S, S].

    Args:
        features: [S, D].
        labels: [S] int64.
        num_classes: number of classes.
        ridge: weight of the L2 penalty, relative to the mean of the kernel's diagonal.
    """
    kernel = features @ features.T
    penalty = ridge * kernel.diagonal().mean().clamp_min(1e-12)
    identity = torch.eye(len(kernel), device=kernel.device, dtype=kernel.dtype)
    targets = centered(labels, num_classes, features)
    dual: Tensor = torch.linalg.solve(kernel + penalty * identity, targets)
    return features.T @ dual


def ridge_loss(predicted: Tensor, labels: Tensor) -> Tensor:
    """Half the mean squared error [] of predictions [B, classes] of labels [B] (Zhou et al. 2022, Eq. 5)."""
    targets = centered(labels, predicted.shape[1], predicted)
    return (predicted - targets).square().sum(1).mean() / 2


def centered(labels: Tensor, num_classes: int, like: Tensor) -> Tensor:
    """Labels [B] as one-hot vectors less their mean, [B, classes]."""
    return F.one_hot(labels, num_classes).to(like) - 1 / num_classes


def class_sums(features: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """The sum [classes, D] of features [B, D] by label [B], and their number [classes]."""
    members = F.one_hot(labels, num_classes).to(features)
    return members.T @ features, members.sum(0)


def distribution_loss(drawn: tuple[Tensor, Tensor], real: tuple[Tensor, Tensor]) -> Tensor:
    """The squared distance [] of mean features of drawn and real images (Zhao & Bilen 2023, Eq. 4).

    It is the mean over classes.

    Args:
        drawn: :func:`class_sums` of drawn images.
        real: those of real ones. Classes without an image, drawn or real, are left out.
    """
    means = [total / number.clamp_min(1).unsqueeze(1) for total, number in (drawn, real)]
    known = (drawn[1] > 0) & (real[1] > 0)
    return (means[0] - means[1]).square().sum(1)[known].mean()
