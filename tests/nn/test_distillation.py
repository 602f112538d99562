"""Losses of data set distillation against scikit-learn, closed forms, and finite differences."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import Ridge
from torch import Tensor

from fractalgan.nn import ClassSums, class_sums, distribution_loss, ridge_loss, ridge_weights

LABELS = torch.tensor([0, 2, 1, 1, 2, 0, 0])
CLASSES = 4  # one without an image
ALL = LABELS.bincount(minlength=CLASSES)  # fractals of each class, when the images are of all


def features(width: int, count: int = len(LABELS)) -> Tensor:
    return torch.rand(count, width, dtype=torch.float64)


def targets(labels: Tensor) -> np.ndarray:
    return np.asarray(F.one_hot(labels, CLASSES).double() - 1 / CLASSES)


@pytest.mark.parametrize("width", [3, 7, 20])  # fewer features than images, as many, more
def test_weights_are_those_of_ridge_regression(width: int) -> None:
    given = features(width)
    found = ridge_weights(given, LABELS, CLASSES, 0.1)
    x, y = given.numpy(), targets(LABELS)
    penalty = 0.1 * (x**2).sum() / len(x)
    primal = np.linalg.inv(x.T @ x + penalty * np.eye(width)) @ x.T @ y
    dual = x.T @ np.linalg.inv(x @ x.T + penalty * np.eye(len(x))) @ y
    theirs = Ridge(alpha=penalty, fit_intercept=False).fit(x, y).coef_.T
    for expected in (primal, dual, theirs):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_penalty_is_relative_to_the_scale_of_the_features() -> None:
    given = features(20)
    one, ten = (ridge_weights(factor * given, LABELS, CLASSES, 0.1) for factor in (1, 10))
    torch.testing.assert_close(10 * ten, one)


def test_ridge_loss_is_half_the_mean_squared_error() -> None:
    predicted = torch.randn(len(LABELS), CLASSES, dtype=torch.float64)
    expected = ((predicted.numpy() - targets(LABELS)) ** 2).sum(1).mean() / 2
    assert float(ridge_loss(predicted, LABELS)) == pytest.approx(expected)


@pytest.mark.parametrize("width", [3, 20])
def test_gradient_of_the_error_of_ridge_regression(width: int) -> None:
    real, classes = features(width, 5), torch.tensor([0, 1, 2, 3, 0])

    def error(drawn: Tensor) -> Tensor:
        return ridge_loss(real @ ridge_weights(drawn, LABELS, CLASSES, 0.01), classes)

    assert torch.autograd.gradcheck(error, features(width).requires_grad_())


def sums(of: Tensor, labels: Tensor = LABELS) -> ClassSums:
    return class_sums(of, labels, CLASSES)


def test_distribution_loss_compares_the_means_of_classes() -> None:
    drawn, real, of_real = features(6), features(6, 5), torch.tensor([0, 3, 1, 1, 0])
    distances = [
        (drawn[label == LABELS].mean(0) - real[label == of_real].mean(0)).square().sum() for label in (0, 1)
    ]  # 2 has no real image, 3 no drawn one
    found = distribution_loss(sums(drawn), sums(real, of_real), ALL)
    torch.testing.assert_close(found, torch.stack(distances).mean() / real.square().sum(1).mean())


def test_distribution_loss_does_not_depend_on_the_scale_of_features() -> None:
    drawn, real = features(6), features(6, 7)
    found = distribution_loss(sums(3 * drawn), sums(3 * real), 3 * ALL)
    torch.testing.assert_close(found, distribution_loss(sums(drawn), sums(real), 3 * ALL))


@pytest.mark.parametrize("number", [2, 3, 4])
def test_distribution_loss_of_some_fractals_estimates_that_of_all_without_bias(number: int) -> None:
    drawn, real = features(6, 5), sums(features(6, 3), torch.zeros(3, dtype=torch.int64))
    one_class, set_sizes = torch.zeros(5, dtype=torch.int64), torch.tensor([5, 0, 0, 0])
    losses = [
        distribution_loss(sums(drawn[list(some)], one_class[:number]), real, set_sizes)
        for some in combinations(range(5), number)
    ]
    of_all = distribution_loss(sums(drawn, one_class), real, set_sizes)
    torch.testing.assert_close(torch.stack(losses).mean(), of_all)


def test_class_with_one_image_counts_if_it_has_one_fractal() -> None:
    drawn, real = features(6, 3), sums(features(6, 3), torch.tensor([0, 1, 1]))
    labels = torch.tensor([0, 1, 1])
    found = distribution_loss(sums(drawn, labels), real, torch.tensor([5, 2, 0, 0]))
    torch.testing.assert_close(
        found, distribution_loss(sums(drawn[1:], labels[1:]), real, torch.tensor([5, 2, 0, 0]))
    )
    of_both = distribution_loss(sums(drawn, labels), real, torch.tensor([1, 2, 0, 0]))
    distance = (drawn[0] - real.means[0]).square().sum() / (real.squared_norms.sum() / 3)
    torch.testing.assert_close(2 * of_both, found + distance)


def test_sums_of_parts_add_up() -> None:
    real = features(6)
    parts = [sums(real[part], LABELS[part]) for part in (slice(0, 3), slice(3, None))]
    added = [torch.stack(each).sum(0) for each in zip(*parts, strict=True)]
    for found, expected in zip(added, sums(real), strict=True):
        torch.testing.assert_close(found, expected)


def test_gradient_of_the_distribution_loss() -> None:
    real = sums(features(6))
    assert torch.autograd.gradcheck(
        lambda drawn: distribution_loss(sums(drawn), real, ALL + 2), features(6).requires_grad_()
    )


def test_classes_in_common_are_none() -> None:
    drawn = features(6).requires_grad_()
    loss = distribution_loss(sums(drawn), sums(features(6, 2), torch.tensor([3, 3])), ALL + 2)
    (gradient,) = torch.autograd.grad(loss, drawn)
    assert loss.detach() == 0
    assert not gradient.any()


@pytest.mark.parametrize("width", [3, 20])
def test_numbers_that_are_not_finite_stay_so(width: int) -> None:
    """The task says which number it is; a solver that raised an error would not."""
    weights = partial(ridge_weights, labels=LABELS, num_classes=CLASSES, ridge=0.1)
    assert weights(features(width) * torch.nan).isnan().all()
    assert weights(torch.zeros(len(LABELS), width)).eq(0).all()
