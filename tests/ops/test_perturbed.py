"""One fractal, perturbed."""

import pytest
import torch

from fractalgan.ops import Transforms, filling_rates, perturbed_fractals


def drawn(count: int, perturbation: float, seed: int = 0, num_transforms: int = 2) -> Transforms:
    generator = torch.Generator().manual_seed(seed)
    return perturbed_fractals("anderson-farrell", count, num_transforms, perturbation, generator)


@pytest.mark.parametrize("num_transforms", [2, 10])
def test_every_entry_is_that_of_one_fractal_within_bounds(num_transforms: int) -> None:
    A, b = drawn(3000, 0.1, num_transforms=num_transforms)
    for entries in (A.flatten(1), b.flatten(1)):
        middle = (entries.amax(0) + entries.amin(0)) / 2
        relative = entries / middle
        assert (relative > 0.898).all()
        assert (relative < 1.102).all()
        # uniform, but for entries with which a transform does not contract
        assert (relative.std(0) - 0.1 / 3**0.5).abs().median() < 0.001
        correlations = relative.T.corrcoef() - torch.eye(entries.shape[1])
        assert correlations.abs().median() < 0.03  # each has a factor of its own


def test_seeds_have_fractals_of_their_own_and_the_first_ones_do_not_depend_on_the_number() -> None:
    few, many = drawn(10, 0.1), drawn(1500, 0.1)
    assert few.A.equal(many.A[:10])
    assert not drawn(10, 0.1, seed=1).A.equal(few.A)


@pytest.mark.parametrize("seed", range(8))
def test_all_are_filled(seed: int) -> None:
    found = drawn(200, 0.2, seed)
    assert (filling_rates(found, torch.Generator().manual_seed(1)) > 0.03).all()
    assert (torch.linalg.svdvals(found.A) < 1).all()


def test_fractals_that_fall_apart_are_explained() -> None:
    with pytest.raises(
        ValueError, match=r"no fractal of 2 transforms was found that still contr.*change by 1e\+20"
    ):
        drawn(5, 1e20)


@pytest.mark.parametrize("start", ["fractaldb", "even"])
@pytest.mark.parametrize("seed", range(3))
def test_other_procedures_are_perturbed_as_well(start: str, seed: int) -> None:
    found = perturbed_fractals(start, 50, 2, 0.1, torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
    assert found.b.shape == (50, 2, 2)
