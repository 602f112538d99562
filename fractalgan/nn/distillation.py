"""Losses of data set distillation: how well drawn images stand for real ones, by features."""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

DistillationLoss = Literal["ridge", "distribution"]


def ridge_weights(features: Tensor, labels: Tensor, num_classes: int, ridge: float) -> Tensor:
    """The linear layer that ridge regression fits to features and labels, without an intercept.

    Args:
        features: [S, D].
        labels: [S] int64, whose targets are one-hot vectors less their mean.
        num_classes: number of classes.
        ridge: weight of the L2 penalty, relative to the mean squared norm of the features.

    Returns:
        Weights [D, classes].
    """
    targets = centered(labels, num_classes, features)
    penalty = ridge * features.square().sum(1).mean().clamp_min(1e-12)
    if len(features) <= features.shape[1]:  # the smaller of two systems with the same solution
        return features.T @ _solve(features @ features.T, penalty, targets)
    return _solve(features.T @ features, penalty, features.T @ targets)


def _solve(gram: Tensor, penalty: Tensor, right: Tensor) -> Tensor:
    """The solution [n, classes] of a Gram matrix [n, n] with a penalty [] on its diagonal."""
    identity = torch.eye(len(gram), device=gram.device, dtype=gram.dtype)
    # `solve` raises an error of its own where numbers are not finite
    solution: Tensor = torch.linalg.solve_ex(gram + penalty * identity, right).result
    return solution


def ridge_loss(predicted: Tensor, labels: Tensor) -> Tensor:
    """Half the mean squared error [] of predictions [B, classes] of labels [B] (Zhou et al. 2022)."""
    targets = centered(labels, predicted.shape[1], predicted)
    return (predicted - targets).square().sum(1).mean() / 2


def centered(labels: Tensor, num_classes: int, like: Tensor) -> Tensor:
    """Labels [B] as one-hot vectors less 1 / classes, [B, classes]."""
    return F.one_hot(labels, num_classes).to(like) - 1 / num_classes


class ClassSums(NamedTuple):
    """Sums of features [B, D] by class, which add up over batches and processes."""

    features: Tensor  # [classes, D]
    counts: Tensor  # numbers of images, [classes]
    squared_norms: Tensor  # of the features, summed over all images, []

    @property
    def means(self) -> Tensor:
        """[classes, D], 0 for a class without images."""
        return self.features / self.counts.clamp_min(1).unsqueeze(1)


def class_sums(features: Tensor, labels: Tensor, num_classes: int) -> ClassSums:
    """The sums of features [B, D] by their labels [B]."""
    members = F.one_hot(labels, num_classes).to(features)
    return ClassSums(members.T @ features, members.sum(0), features.square().sum())


def distribution_loss(drawn: ClassSums, real: ClassSums) -> Tensor:
    """The squared distance of mean features of drawn and real images, by class (Zhao & Bilen 2023).

    It is relative to the mean squared norm of the features of real images, which differs between networks.

    Returns:
        The mean [] over the classes that have drawn and real images; 0 if there is none.
    """
    known = ((drawn.counts > 0) & (real.counts > 0)).to(drawn.counts)
    distances = (drawn.means - real.means).square().sum(1)
    scale = (real.squared_norms / real.counts.sum().clamp_min(1)).clamp_min(1e-12)
    return (known * distances).sum() / known.sum().clamp_min(1) / scale
