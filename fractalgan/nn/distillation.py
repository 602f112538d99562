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
    squared_norms: Tensor  # of the features, summed over the images of each class, [classes]

    @property
    def means(self) -> Tensor:
        """[classes, D], 0 for a class without images."""
        return self.features / self.counts.clamp_min(1).unsqueeze(1)

    @property
    def variances(self) -> Tensor:
        """Unbiased variances of the features, summed over them, [classes]; 0 for less than two images."""
        deviations = self.squared_norms - self.counts * self.means.square().sum(1)
        return deviations.clamp_min(0) / (self.counts - 1).clamp_min(1)


def class_sums(features: Tensor, labels: Tensor, num_classes: int) -> ClassSums:
    """The sums of features [B, D] by their labels [B]."""
    members = F.one_hot(labels, num_classes).to(features)
    return ClassSums(members.T @ features, members.sum(0), members.T @ features.square().sum(1))


def distribution_loss(drawn: ClassSums, real: ClassSums, set_sizes: Tensor) -> Tensor:
    """The squared distance of mean features of drawn and real images, by class (Zhao & Bilen 2023).

    It is an unbiased estimate of the distance of the whole set. If n of the N fractals of a class are drawn,
    their mean varies with the choice, which adds (1 / n - 1 / N) times the variance of their features to the
    expected distance (Cochran, Sampling Techniques, 1977). This term is subtracted, as minimizing it would
    make the fractals of a class alike. The variance of a single image is unknown: its class is left out,
    unless it has only one fractal.

    The loss is relative to the mean squared norm of the features of real images, which differs by network.

    Args:
        drawn: of images of different fractals, or of all of them. The estimate is unbiased if each of them is
            drawn equally often, and nearly so if some are drawn once more than others.
        real: of real images.
        set_sizes: number N of fractals of each class, [classes].

    Returns:
        The mean [] over the classes that have drawn and real images; 0 if there is none. The estimate may be
        below 0.
    """
    sizes = set_sizes.to(drawn.counts)
    enough = drawn.counts >= sizes.clamp(1, 2)
    known = (enough & (real.counts > 0)).to(drawn.counts)
    distances = (drawn.means - real.means).square().sum(1)
    unseen = (1 / drawn.counts.clamp_min(1) - 1 / sizes.clamp_min(1)).clamp_min(0)
    scale = (real.squared_norms.sum() / real.counts.sum().clamp_min(1)).clamp_min(1e-12)
    return (known * (distances - unseen * drawn.variances)).sum() / known.sum().clamp_min(1) / scale
