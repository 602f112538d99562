"""Collages: copies of a picture, the search for those that cover it, and their descent."""

import math

import pytest
import torch
from torch import Tensor

from fractalgan.nn.target_scores import intersection_over_union
from fractalgan.ops import (
    Greed,
    Transforms,
    area_probabilities,
    blur,
    collage_bound,
    collage_search,
    contractions,
    descend_collage,
    draw_sequences,
    place_copies,
    render,
    search_collages,
    union,
)
from fractalgan.ops.collage_search import collage_matrices


def one(A: Tensor, b: Tensor) -> Transforms:
    return Transforms(A.view(1, 1, 2, 2), b.view(1, 1, 2))


def picture(size: int = 33) -> Tensor:
    return torch.rand(1, size, size, generator=torch.Generator().manual_seed(0))


def test_identity_places_the_picture_itself() -> None:
    copy = place_copies(picture(), one(torch.eye(2), torch.zeros(2)))
    torch.testing.assert_close(copy[0], picture(), atol=1e-4, rtol=0)


def test_translation_moves_along_the_rows_first() -> None:
    """33 pixels span [-1, 1], so one pixel is 1/16."""
    copy = place_copies(picture(), one(torch.eye(2), torch.tensor([3 / 16, -1 / 16])))[0, 0]
    torch.testing.assert_close(copy[3:, :-1], picture()[0, :-3, 1:], atol=1e-4, rtol=0)
    assert copy[:3].abs().max() < 1e-3


def test_quarter_turn_and_half_the_size() -> None:
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # (row, column) -> (-column, row)
    copy = place_copies(picture(), one(turn, torch.zeros(2)))[0, 0]
    torch.testing.assert_close(copy, picture()[0].T.flip(0), atol=1e-4, rtol=0)
    half = place_copies(picture(), one(0.5 * torch.eye(2), torch.zeros(2)))[0, 0]
    torch.testing.assert_close(half[8:25, 8:25], picture()[0, ::2, ::2], atol=1e-4, rtol=0)
    assert half[:7].abs().max() == 0


def test_copies_of_another_size() -> None:
    copy = place_copies(picture(), one(torch.eye(2), torch.zeros(2)), size=17)[0, 0]
    torch.testing.assert_close(copy, picture()[0, ::2, ::2], atol=1e-4, rtol=0)


def test_gradient_of_copies_passes_gradcheck() -> None:
    smooth = blur(picture(12).double(), 1.5)
    A = torch.tensor([[[[0.5, 0.1], [-0.2, 0.4]], [[-0.3, 0.2], [0.1, 0.6]]]], dtype=torch.float64)
    b = torch.tensor([[[0.11, -0.07], [0.031, 0.21]]], dtype=torch.float64)
    A.requires_grad_()
    b.requires_grad_()
    torch.autograd.gradcheck(
        lambda A, b: place_copies(smooth, Transforms(A, b), 7), (A, b), eps=1e-7, atol=1e-4
    )


def test_singular_matrix_places_finite_numbers() -> None:
    A = torch.zeros(2, 2, requires_grad=True)
    copy = place_copies(picture(), one(A, torch.zeros(2)))
    copy.sum().backward()
    assert copy.isfinite().all()
    assert A.grad is not None
    assert A.grad.isfinite().all()


def test_union_is_one_less_the_product_of_what_is_left() -> None:
    copies = torch.tensor([0.5, 0.5, 1.0, 0.0]).view(1, 4, 1, 1)
    assert union(copies[:, :2]).item() == 0.75
    assert union(copies).item() == 1
    assert union(copies[:, 3:]).item() == 0


def test_blur_keeps_the_sum_and_has_its_standard_deviation() -> None:
    point = torch.zeros(1, 41, 41)
    point[0, 20, 20] = 1
    blurred = blur(point, 2.0)[0]
    assert blurred.sum().item() == pytest.approx(1, abs=1e-5)
    distance = torch.arange(41) - 20.0
    assert (blurred.sum(1) * distance**2).sum().sqrt().item() == pytest.approx(2, rel=0.05)


def test_contraction_is_the_largest_singular_value() -> None:
    A = torch.randn(50, 2, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(contractions(A), torch.linalg.matrix_norm(A, 2))
    similarity = torch.eye(2).requires_grad_()
    contractions(similarity).backward()
    assert similarity.grad is not None
    assert similarity.grad.isfinite().all()


def test_area_probabilities_leave_no_transform_out() -> None:
    A = torch.diag_embed(torch.tensor([[0.5, 0.5], [0.5, 0.0], [0.5, 1.0]]))
    p = area_probabilities(A)
    torch.testing.assert_close(
        p, torch.tensor([0.25, 0.1 / 3, 0.5]) / torch.tensor([0.75, 1, 0.75]) / (1 + 0.1 / 3)
    )


# -- search and descent -----------------------------------------------------------------------------


def carpet(size: int = 81) -> Tensor:
    """Sierpinski's carpet: eight copies of a third of its size."""
    k = torch.arange(size)
    full = torch.ones(size, size, dtype=torch.bool)
    while size > 1:
        size //= 3
        middle = k // size % 3 == 1
        full &= ~(middle[:, None] & middle[None, :])
    return full.float()


def overlap(first: Tensor, second: Tensor) -> float:
    return intersection_over_union(first[None], second[None]).item()


def attractor(transforms: Transforms, size: int) -> Tensor:
    z = draw_sequences(area_probabilities(transforms.A), torch.tensor([0]), 30_000, kind="even")
    return render(transforms, torch.tensor([0]), z, size=(size, size), window=1.0, tau=0.3)[0]


def test_search_covers_the_carpet_with_eight_copies_of_a_third() -> None:
    target = carpet(27)
    found = search_collages(target, 8, torch.Generator().manual_seed(0), [Greed(0.4)])
    assert overlap(union(place_copies(target[None], found))[0], target) > 0.7
    assert overlap(attractor(found, 27), target) > 0.65
    assert contractions(found.A).max() < 0.45


def test_each_search_has_its_own_preference() -> None:
    target = carpet(27)
    greeds = [Greed(0.4), Greed(0.8)]
    A, b = search_collages(target, 4, torch.Generator().manual_seed(0), greeds)
    assert A.shape == (2, 4, 2, 2)
    assert b.shape == (2, 4, 2)
    norms = contractions(A).amax(1)
    assert norms[0] < 0.55 < norms[1]


def test_templates_that_are_skipped_would_not_have_matched() -> None:
    blots = (blur(picture(24), 1.5)[0] > 0.5).float()
    templates, greed = collage_search._Templates.of(blots), Greed()
    bounds = templates.first_bounds(greed)
    first = templates.best(blots, greed, bounds)
    uncovered = (
        blots - place_copies(blots[None], Transforms(first.A[:, :1], first.b[:, :1]))[0, 0]
    ).clamp_min(0)
    kept = bounds.clone()
    some = templates.best(uncovered, greed, bounds)
    every = templates.best(uncovered, greed, templates.first_bounds(greed))
    assert (bounds == kept).float().mean() > 0.2  # were not compared again
    assert {tuple(each.tolist()) for each in some.b[0]} == {tuple(each.tolist()) for each in every.b[0]}


def test_grid_has_rotations_scales_reflections_and_squeezes() -> None:
    A = collage_matrices()
    assert len(A.flatten(1).unique(dim=0)) == len(A)
    determinants = torch.linalg.det(A)
    assert (determinants > 0).float().mean().item() == 0.5
    assert contractions(A).min().item() == pytest.approx(collage_search.SMALLEST, rel=1e-4)
    assert contractions(A).max().item() == pytest.approx(collage_search.LARGEST, rel=1e-4)


def test_bound_is_the_error_over_one_less_the_contraction() -> None:
    """Half of a bright picture is covered by one copy of half its height."""
    bright = torch.ones(1, 21, 21)
    half = one(torch.tensor([[0.5, 0.0], [0.0, 1.0]]), torch.tensor([-0.5, 0.0]))
    covered = place_copies(bright, half)[0, 0].mean().item()
    assert covered == pytest.approx(0.5, abs=0.05)
    bound = collage_bound(bright, Transforms(0.9 * half.A, half.b)).item()
    error = (1 - place_copies(bright, Transforms(0.9 * half.A, half.b))).square().mean().item()
    assert bound == pytest.approx(error / (1 - 0.9), rel=1e-4)


def test_descent_lowers_the_objective_and_treats_each_picture_alone() -> None:
    target = carpet(27)
    start = search_collages(target, 8, torch.Generator().manual_seed(0), [Greed(0.6), Greed(0.4)])
    pictures = target.expand(2, -1, -1)
    end = descend_collage(pictures, start)

    assert (collage_bound(pictures, end) < collage_bound(pictures, start)).all()
    alone = descend_collage(pictures[1:], Transforms(start.A[1:], start.b[1:]))
    assert alone.A[0].allclose(end.A[1], atol=1e-3)


@pytest.mark.parametrize("value", [0.3, 1.0])
def test_gray_picture_and_full_picture_are_searched(value: float) -> None:
    found = search_collages(torch.full((20, 20), value), 3, torch.Generator().manual_seed(0))
    assert all(each.isfinite().all() for each in found)


def test_speck_is_searched() -> None:
    speck = torch.zeros(40, 40)
    speck[20, 31] = 1
    found = search_collages(speck, 3, torch.Generator().manual_seed(0))
    assert all(each.isfinite().all() for each in found)
    assert math.isfinite(descend_collage(speck[None], found).A.sum().item())
