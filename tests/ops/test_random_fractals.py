import pytest
import torch

from fractalgan.ops import (
    anderson_farrell,
    equal_size,
    factorize,
    filling_rates,
    fractaldb,
    move_to_window,
    points_of_chains,
    random_fractals,
    visited_cells,
)
from tests.problems import sierpinski


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("num_transforms", [2, 3, 10, 30])
def test_anderson_farrell_respects_its_bounds(num_transforms: int) -> None:
    A, b = anderson_farrell(500, num_transforms, generator())
    s1, s2 = factorize(A).sigma.unbind(-1)
    assert s1.max() <= 1 + 1e-5
    assert s2.min() >= -1e-6
    alpha = (s1 + 2 * s2).sum(-1)
    low, high = (5 + num_transforms) / 2, (6 + num_transforms) / 2
    assert alpha.min() >= low - 1e-3
    assert alpha.max() <= high + 1e-3
    assert abs(alpha.mean() - (low + high) / 2) < 0.05
    assert b.abs().max() <= 1


def test_anderson_farrell_samples_reflections_and_all_angles() -> None:
    A, _ = anderson_farrell(500, 10, generator())
    share = (torch.linalg.det(A) < 0).float().mean()
    assert 0.45 < share < 0.55
    angles = torch.atan2(A[..., 1, 0], A[..., 0, 0]).flatten()
    counts = torch.histc(angles, bins=8, min=-torch.pi, max=torch.pi)
    assert counts.min() > 0.7 * counts.mean()


@pytest.mark.parametrize("draw", [anderson_farrell, equal_size, fractaldb])
def test_same_seed_yields_the_same_fractals(draw) -> None:
    first, second, other = (draw(5, 4, generator(seed)) for seed in (1, 1, 2))
    assert first.A.equal(second.A)
    assert first.b.equal(second.b)
    assert not first.A.equal(other.A)
    assert first.A.shape == (5, 4, 2, 2)
    assert first.b.shape == (5, 4, 2)


@pytest.mark.parametrize(
    ("procedure", "draw"),
    [("anderson-farrell", anderson_farrell), ("fractaldb", fractaldb), ("even", equal_size)],
)
def test_procedures_have_names(procedure: str, draw) -> None:
    named, expected = random_fractals(procedure, 5, 4, generator()), draw(5, 4, generator())
    assert named.A.equal(expected.A)
    assert named.b.equal(expected.b)


def test_transforms_of_equal_size_are_within_the_range_of_the_sigmoid() -> None:
    A, b = equal_size(500, 10, generator())
    sigma = factorize(A).sigma
    assert sigma.min() > 0.5 - 1e-5
    assert sigma.max() < 0.7311
    assert 0.61 < sigma.mean() < 0.63
    assert (torch.linalg.det(A) > 0).all()  # no flips
    assert b.abs().max() <= 1


def test_fractaldb_accepts_fractals_that_fill_the_canvas() -> None:
    strict, lax = (fractaldb(200, 4, generator(), filling_rate=rate) for rate in (0.3, 0.0))
    assert strict.A.abs().max() <= 1
    # measured along other sequences than those by which the fractals were accepted
    filled, unfiltered = filling_rates(strict, generator(9)), filling_rates(lax, generator(9))
    assert filled.median() > 0.3 > unfiltered.median()
    assert unfiltered.min() < 0.1


def test_filling_rate_of_the_sierpinski_triangle_and_of_a_diverging_fractal() -> None:
    # in 32 x 32 cells, the triangle visits 3^5 of the 4^5 cells, and at most some cells at their edges
    assert 0.2 < filling_rates(sierpinski(torch.float32), generator())[0] < 0.35
    diverging = sierpinski(torch.float32)
    diverging.A[:] = 3 * torch.eye(2)
    assert filling_rates(diverging, generator())[0] == 0


def test_chains_of_a_fractal_are_one_sequence_that_was_cut() -> None:
    """All points but the first ones of a chain are the same: halved 30 times, another start is forgotten."""
    fractals, chains, length = sierpinski(torch.float32), 8, 500
    sequences = torch.randint(3, (len(fractals.b), chains, length), generator=generator())
    cut = points_of_chains(fractals, sequences).view(-1, chains, length, 2)
    whole = points_of_chains(fractals, sequences.flatten(1).unsqueeze(1)).view(-1, chains, length, 2)
    torch.testing.assert_close(cut[:, 0], whole[:, 0])
    torch.testing.assert_close(cut[:, :, 30:], whole[:, :, 30:], rtol=0, atol=1e-5)
    one, many = (visited_cells(fractals, each, cells=24) for each in (sequences.flatten(1), sequences))
    assert one.shape == many.shape == (len(fractals.b), 24, 24)


def test_points_fill_the_window_that_a_fractal_is_moved_to() -> None:
    fractals = fractaldb(3, 4, torch.Generator().manual_seed(0))
    chains = torch.randint(4, (3, 2, 500), generator=torch.Generator().manual_seed(1))
    moved = move_to_window(fractals, points_of_chains(fractals, chains), 1.5)
    points = points_of_chains(moved, chains)
    torch.testing.assert_close(points.amin(1), torch.full((3, 2), -1.5), rtol=0, atol=1e-4)
    torch.testing.assert_close(points.amax(1), torch.full((3, 2), 1.5), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("num_transforms", "filling_rate"), [(2, 0.9), (1, 0.2)])
def test_impossible_filling_rate_is_an_error(num_transforms: int, filling_rate: float) -> None:
    with pytest.raises(ValueError, match="hardly ever fill"):
        fractaldb(1, num_transforms, generator(), filling_rate=filling_rate)
