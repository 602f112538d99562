import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fractalgan.ops import (
    Factors,
    Transforms,
    compose,
    determinant_probabilities,
    factorize,
    fixed_point,
    rotation,
)

entries = st.lists(st.floats(-2, 2), min_size=4, max_size=4)


def test_rotation_is_counter_clockwise() -> None:
    turned = rotation(torch.tensor(math.pi / 2)) @ torch.tensor([1.0, 0.0])
    torch.testing.assert_close(turned, torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)


def test_compose_is_the_product_of_the_factors() -> None:
    theta, phi = torch.rand(2, 5, 3, dtype=torch.float64)
    sigma = torch.rand(5, 3, 2, dtype=torch.float64)
    flip = torch.randint(0, 2, (5, 3, 2)).double() * 2 - 1
    product = rotation(theta) @ torch.diag_embed(sigma) @ rotation(phi) @ torch.diag_embed(flip)
    torch.testing.assert_close(compose(Factors(theta, phi, sigma, flip)), product)


@given(entries)
def test_compose_inverts_factorize(values: list[float]) -> None:
    A = torch.tensor(values, dtype=torch.float64).reshape(2, 2)
    factors = factorize(A)
    torch.testing.assert_close(compose(factors), A, atol=1e-12, rtol=1e-12)
    assert factors.sigma[0] >= factors.sigma[1] >= 0
    assert factors.flip.abs().eq(1).all()


def test_largest_sigma_is_the_spectral_norm() -> None:
    A = torch.randn(50, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(factorize(A).sigma.amax(-1), torch.linalg.matrix_norm(A, 2))


def test_probabilities_are_proportional_to_determinants() -> None:
    A = torch.stack([torch.eye(2) * 0.5, torch.eye(2), torch.tensor([[0.0, 1.0], [1.0, 0.0]])])
    torch.testing.assert_close(determinant_probabilities(A), torch.tensor([0.25, 1.0, 1.0]) / 2.25)


def test_probabilities_have_no_gradient() -> None:
    A = torch.rand(2, 3, 2, 2, requires_grad=True)
    assert not determinant_probabilities(A).requires_grad


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_probabilities_are_uniform_without_a_valid_determinant(value: float) -> None:
    p = determinant_probabilities(torch.full((4, 2, 2), value))
    torch.testing.assert_close(p, torch.full((4,), 0.25))


def test_transform_that_is_not_finite_has_probability_zero() -> None:
    A = torch.stack([torch.eye(2), torch.full((2, 2), math.nan)])
    assert determinant_probabilities(A).tolist() == [1.0, 0.0]


@given(entries, st.floats(-1, 1), st.floats(-1, 1))
def test_fixed_point_is_fixed(values: list[float], e: float, f: float) -> None:
    A = 0.45 * torch.tensor(values, dtype=torch.float64).reshape(2, 2).clamp(-1, 1)
    b = torch.tensor([e, f], dtype=torch.float64)
    v = fixed_point(A, b)
    torch.testing.assert_close(A @ v + b, v)


def test_transform_without_fixed_point_yields_the_origin() -> None:
    assert fixed_point(torch.eye(2), torch.ones(2)).tolist() == [0.0, 0.0]


def test_repr_of_transforms_is_short() -> None:
    transforms = Transforms(torch.zeros(100, 10, 2, 2), torch.zeros(100, 10, 2))
    assert repr(transforms) == (
        "Transforms(num_fractals=100, num_transforms=10, dtype=torch.float32, device='cpu')"
    )
    assert repr(Transforms(torch.zeros(2), torch.ones(2))) == "(tensor([0., 0.]), tensor([1., 1.]))"
