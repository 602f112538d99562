"""Candidates: successive halving by a running loss, target by target."""

import math

import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.nn import Candidates
from fractalgan.nn.candidates import DECAY


def losses_of(candidates: Candidates, rows: torch.Tensor, step: int, known: torch.Tensor) -> torch.Tensor:
    """The losses of the candidates that take part, from those of all fractals."""
    return known[candidates.remaining(rows, step)]


def test_half_of_the_candidates_remains_after_each_halving() -> None:
    candidates = Candidates(2, 5, [3, 8, 9, 12])
    assert [candidates.count(step) for step in (0, 2, 3, 7, 8, 9, 12, 100)] == [5, 5, 2, 2, 1, 1, 1, 1]


def test_fractals_of_a_target_are_in_a_row() -> None:
    candidates = Candidates(3, 4)
    assert candidates.all_of(torch.tensor([2, 0])).tolist() == [8, 9, 10, 11, 0, 1, 2, 3]
    assert candidates.remaining(torch.tensor([1]), 0).tolist() == [[4, 5, 6, 7]]


def test_the_better_ones_remain_and_the_best_wins() -> None:
    candidates, rows = Candidates(2, 4, [1, 2]), torch.tensor([0, 1])
    known = torch.tensor([3.0, 1.0, 2.0, 4.0, 0.1, 0.4, 0.3, 0.2])
    candidates.update(losses_of(candidates, rows, 0, known), rows, 0)
    assert candidates.remaining(rows, 1).tolist() == [[1, 2], [4, 7]]
    assert candidates.running_loss.isinf().tolist() == [True, False, False, True, False, True, True, False]
    candidates.update(torch.tensor([[50.0, 0.0], [0.0, 50.0]]), rows, 1)
    assert candidates.remaining(rows, 2).tolist() == [[2], [4]]
    assert candidates.winners().tolist() == [2, 4]


def test_losses_are_averaged_over_steps() -> None:
    candidates, rows = Candidates(1, 2), torch.tensor([0])
    for step, losses in enumerate([[4.0, 1.0], [1.0, 2.0], [1.0, 2.0]]):
        candidates.update(torch.tensor([losses]), rows, step)
    expected = [1 + 3 * DECAY**2, 2 - DECAY**2]
    torch.testing.assert_close(candidates.running_loss, torch.tensor(expected))
    assert candidates.winners().tolist() == [1]


def test_fractal_that_diverges_loses() -> None:
    candidates, rows = Candidates(1, 2, [1]), torch.tensor([0])
    candidates.update(torch.tensor([[math.inf, 9.0]]), rows, 0)
    assert candidates.winners().tolist() == [1]


def test_rows_that_are_not_given_stay() -> None:
    together, apart = Candidates(4, 2, [1]), Candidates(4, 2, [1])
    losses = torch.rand(4, 2)
    together.update(losses, torch.arange(4), 0)
    for rows in torch.tensor([[3, 1], [0, 2]]):
        apart.update(losses[rows], rows, 0)
    assert all(apart.state_dict()[name].equal(value) for name, value in together.state_dict().items())


def test_state_is_in_buffers() -> None:
    candidates = Candidates(3, 2)
    assert dict(candidates.named_buffers()).keys() == {"ranking", "running_loss"}
    assert not list(candidates.parameters())
    assert len(candidates) == 3
    assert candidates.extra_repr() == "num_targets=3, num_candidates=2, halvings=()"


@pytest.mark.parametrize("halvings", [[0], [4, 2], [3, 3]])
def test_halvings_that_do_not_increase_are_refused(halvings: list[int]) -> None:
    with pytest.raises(InputError, match=r"halvings must be increasing numbers of steps >= 1"):
        Candidates(1, 8, halvings)
