"""The box around an attractor, and the pieces of it that a view shows."""

import pytest
import torch

from fractalgan.ops import (
    Fractals,
    Pieces,
    Transforms,
    View,
    anderson_farrell,
    pieces_in_view,
    points_of_chains,
    random_features,
)
from fractalgan.ops.bounding_box import bounding_box, largest_singular_value, sample_points
from tests import problems


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sierpinski() -> Fractals:
    return Fractals.plain(problems.sierpinski()).one(0)


def random_fractal(seed: int) -> Fractals:
    return Fractals.plain(problems.random_fractals(1, 5, seed)).one(0)


def equal(number: int) -> torch.Tensor:
    return torch.full((number,), 1 / number, dtype=torch.float64)


def test_largest_singular_value_is_the_spectral_norm() -> None:
    A = torch.randn(50, 2, 2, generator=seeded(), dtype=torch.float64)
    assert torch.allclose(largest_singular_value(A), torch.linalg.matrix_norm(A, 2))
    assert largest_singular_value(torch.full((1, 2, 2), torch.nan)).isnan().all()


def test_box_of_the_sierpinski_triangle_is_the_unit_square() -> None:
    center, half = bounding_box(sierpinski().transforms, equal(3), seeded())
    assert torch.allclose(center, torch.tensor([0.5, 0.5], dtype=torch.float64), atol=1e-6)
    assert torch.allclose(half, torch.tensor([0.5, 0.5], dtype=torch.float64), rtol=2e-3)


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_box_has_all_points_and_is_not_much_larger(seed: int) -> None:
    fractal = random_fractal(seed)
    A, b = fractal.transforms
    sequences = torch.randint(5, (1, 400, 500), generator=seeded(seed))
    points = points_of_chains(Transforms(A[None], b[None]), sequences)[0]
    center, half = bounding_box(fractal.transforms, equal(5), seeded())
    assert ((points - center).abs() <= half).all()
    reached = (points.amax(0) - points.amin(0)) / 2
    assert (half <= 2 * reached).all()


def test_box_of_transforms_that_expand_is_that_of_points() -> None:
    """x' = 1.2 x or 0.1 x, equally likely, contracts on average, but the disk argument does not hold."""
    A = torch.tensor([1.2, 0.1], dtype=torch.float64)[:, None, None] * torch.eye(2, dtype=torch.float64)
    b = torch.tensor([[0.1, 0.1], [0.2, 0.0]], dtype=torch.float64)
    center, half = bounding_box(Transforms(A, b), equal(2), seeded())
    assert center.isfinite().all()
    assert (half > 0).all()


def test_all_of_an_attractor_in_view_is_one_piece() -> None:
    pieces = pieces_in_view(sierpinski(), equal(3), View((0.5, 0.5), 1.0), seeded())
    assert pieces.A.tolist() == [[[1, 0], [0, 1]]]
    assert pieces.share.tolist() == [1]


@pytest.mark.parametrize("level", [2, 8, 20])
def test_pieces_have_all_points_of_a_view_and_not_many_others(level: int) -> None:
    """Within 2^-n of the origin, the triangle is one copy of itself, with 3^-n of its points."""
    reach = 0.5**level
    pieces = pieces_in_view(sierpinski(), equal(3), View((reach / 2, reach / 2), reach / 2), seeded())
    points = sample_points(sierpinski().transforms, equal(3), seeded(1))[:500]
    placed = points @ pieces.A.mT + pieces.b[:, None]
    part = (placed <= reach).all(2).double().mean(1)
    assert (part @ pieces.share).item() == pytest.approx(3.0**-level, rel=0.1)
    assert pieces.share.sum().item() <= 4 * 3.0**-level


def test_parts_of_a_piece_are_products_of_transforms() -> None:
    """Of the address (0, 1): v -> A_0 (A_1 v + b_1) + b_0, with the features blended in the same order."""
    features = random_features(torch.zeros(1, 5, 2), 2, seeded(1))
    features = features._replace(blend=torch.rand(1, 5, generator=seeded(2)))
    drawn = Fractals(anderson_farrell(1, 5, seeded()), features).map(lambda each: each.double()).one(0)
    (A, b), (values, blend, _) = drawn
    probabilities = torch.tensor([0.1, 0.2, 0.3, 0.2, 0.2], dtype=torch.float64)
    parts = Pieces.whole(drawn).divided(drawn, probabilities).divided(drawn, probabilities)
    assert torch.allclose(parts.A[1], A[0] @ A[1])
    assert torch.allclose(parts.b[1], A[0] @ b[1] + b[0])
    assert torch.allclose(parts.kept[1], blend[0] * blend[1])
    assert torch.allclose(parts.added[1], (1 - blend[0]) * values[0] + blend[0] * (1 - blend[1]) * values[1])
    assert parts.share[1].item() == pytest.approx(0.02)


def test_equal_shares_are_given_as_often_as_a_piece_has_points() -> None:
    whole = Pieces.whole(sierpinski()).divided(sierpinski(), torch.tensor([0.5, 0.3, 0.2]).double())
    pieces = whole.with_equal_shares(1000, seeded())
    assert pieces.share.tolist() == pytest.approx([1e-3] * 1000)
    counts = [(pieces.b == corner).all(1).sum().item() for corner in whole.b]
    assert counts == pytest.approx([500, 300, 200], abs=1)


def test_view_beside_the_attractor_has_no_pieces() -> None:
    assert len(pieces_in_view(sierpinski(), equal(3), View((0.9, 0.9), 0.05), seeded()).share) == 0
    assert len(pieces_in_view(sierpinski(), equal(3), View((50.0, 50.0), 1.0), seeded()).share) == 0


def test_diverged_transforms_have_no_pieces() -> None:
    A, b = (each.clone() for each in sierpinski().transforms)
    A[0] = torch.nan
    fractal = Fractals.plain(Transforms(A[None], b[None])).one(0)
    pieces = pieces_in_view(fractal, equal(3), View((0.5, 0.5), 0.1), seeded())
    assert pieces.A.isfinite().all()
