"""Forms of the matrices: how each keeps sigma in range."""

import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.nn import (
    ClampedMatrices,
    RawMatrices,
    RotationScalingFlip,
    SigmoidMatrices,
    UnboundedMatrices,
)
from fractalgan.ops import anderson_farrell, factorize, fractaldb

BOUNDED = [SigmoidMatrices, ClampedMatrices]


def matrices(draw=anderson_farrell) -> torch.Tensor:
    return draw(6, 5, torch.Generator().manual_seed(0)).A


@pytest.mark.parametrize("form", BOUNDED)
@pytest.mark.parametrize("draw", [anderson_farrell, fractaldb])
def test_initial_matrices_are_the_given_ones_within_the_range(form: type[RotationScalingFlip], draw) -> None:
    given = matrices(draw)
    A = form(given, (0.05, 0.9))().detach()
    inside = ((factorize(given).sigma - 0.475).abs() < 0.41).all(-1)
    assert inside.any()
    torch.testing.assert_close(A[inside], given[inside], atol=1e-5, rtol=1e-4)
    sigma = factorize(A).sigma
    assert sigma.min() > 0.05 - 1e-5
    assert sigma.max() < 0.9 + 1e-5


@pytest.mark.parametrize("form", BOUNDED)
def test_sigma_stays_in_range_under_any_step(form: type[RotationScalingFlip]) -> None:
    learned = form(matrices(), (0.1, 0.8))
    optimizer = torch.optim.SGD(learned.parameters(), lr=1e3)
    for _ in range(5):
        optimizer.zero_grad()
        learned().square().sum().neg().backward()
        optimizer.step()
        learned.constrain_()
        sigma = factorize(learned().detach()).sigma
        assert sigma.min() >= 0.1 - 1e-5
        assert sigma.max() <= 0.8 + 1e-5


def test_sigmoid_form_does_not_depend_on_the_number_of_fractals() -> None:
    given = matrices()
    alone, among = (SigmoidMatrices(part, (0.05, 0.9))() for part in (given[:1], given))
    assert alone.equal(among[:1])


def test_clamped_sigma_can_leave_its_bound_again() -> None:
    learned = ClampedMatrices(matrices(), (0.0, 1.0))
    with torch.no_grad():
        learned.scale += 5
    learned.constrain_()
    learned().square().sum().backward()
    assert learned.scale.grad is not None
    assert (learned.scale.grad > 0).all()


def test_unbounded_sigma_is_bounded_at_the_start_only() -> None:
    learned = UnboundedMatrices(matrices(), (0.1, 0.8))
    assert factorize(learned().detach()).sigma.max() < 0.8 + 1e-5
    with torch.no_grad():
        learned.scale[..., 0] += 5
        learned.scale[..., 1] -= 2
    learned.constrain_()
    sigma = factorize(learned().detach()).sigma
    assert sigma[..., 0].min() > 5
    assert sigma[..., 1].min() > 1


def test_raw_matrices_are_their_own_copy_of_the_given_ones() -> None:
    given = matrices()
    learned = RawMatrices(given)
    assert learned().equal(given)
    with torch.no_grad():
        learned.A += 1
    assert given.equal(matrices())


@pytest.mark.parametrize("bounds", [(-0.1, 0.5), (0.5, 0.5), (0.9, 0.1)])
def test_impossible_range_is_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="sigma_range must be"):
        SigmoidMatrices(matrices(), bounds)
