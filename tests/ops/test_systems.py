import pytest
import torch

from fractalgan.ops import anderson_farrell, even, factorize, filling_rates, fractaldb
from tests.problems import sierpinski


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("num_transforms", [2, 3, 10, 30])
def test_anderson_farrell_keeps_its_bounds(num_transforms: int) -> None:
    A, b = anderson_farrell(500, num_transforms, random())
    s1, s2 = factorize(A).sigma.unbind(-1)
    assert s1.max() <= 1 + 1e-5
    assert s2.min() >= -1e-6
    alpha = (s1 + 2 * s2).sum(-1)
    low, high = (5 + num_transforms) / 2, (6 + num_transforms) / 2
    assert alpha.min() >= low - 1e-3
    assert alpha.max() <= high + 1e-3
    assert abs(alpha.mean() - (low + high) / 2) < 0.05
    assert b.abs().max() <= 1


def test_anderson_farrell_draws_reflections_and_all_angles() -> None:
    A, _ = anderson_farrell(500, 10, random())
    share = (torch.linalg.det(A) < 0).float().mean()
    assert 0.45 < share < 0.55
    angles = torch.atan2(A[..., 1, 0], A[..., 0, 0]).flatten()
    counts = torch.histc(angles, bins=8, min=-torch.pi, max=torch.pi)
    assert counts.min() > 0.7 * counts.mean()


@pytest.mark.parametrize("draw", [anderson_farrell, even, fractaldb])
def test_systems_come_again_from_the_same_seed(draw) -> None:
    first, second, other = (draw(5, 4, random(seed)) for seed in (1, 1, 2))
    assert first.A.equal(second.A)
    assert first.b.equal(second.b)
    assert not first.A.equal(other.A)
    assert first.A.shape == (5, 4, 2, 2)
    assert first.b.shape == (5, 4, 2)


def test_even_systems_are_alike_in_size() -> None:
    A, b = even(500, 10, random())
    sigma = factorize(A).sigma
    assert sigma.min() > 0.5 - 1e-5
    assert sigma.max() < 0.7311
    assert 0.61 < sigma.mean() < 0.63
    assert (torch.linalg.det(A) > 0).all()  # no flips
    assert b.abs().max() <= 1


def test_fractaldb_keeps_systems_that_fill_the_canvas() -> None:
    strict, lax = (fractaldb(200, 4, random(), filling_rate=rate) for rate in (0.3, 0.0))
    assert strict.A.abs().max() <= 1
    # judged by other sequences than they were chosen by
    filled, unfiltered = filling_rates(strict, random(9)), filling_rates(lax, random(9))
    assert filled.median() > 0.3 > unfiltered.median()
    assert unfiltered.min() < 0.1


def test_filling_rate_of_known_systems() -> None:
    # Sierpinski's triangle in 32 x 32 cells: 3^5 of the 4^5 cells, and no more than a rim beside them
    assert 0.2 < filling_rates(sierpinski(torch.float32), random())[0] < 0.35
    diverging = sierpinski(torch.float32)
    diverging.A[:] = 3 * torch.eye(2)
    assert filling_rates(diverging, random())[0] == 0


@pytest.mark.parametrize(("num_transforms", "filling_rate"), [(2, 0.9), (1, 0.2)])
def test_impossible_filling_rate_is_refused(num_transforms: int, filling_rate: float) -> None:
    with pytest.raises(ValueError, match="hardly ever fill"):
        fractaldb(1, num_transforms, random(), filling_rate=filling_rate)
