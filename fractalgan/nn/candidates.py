"""Candidates: several fractals compete for each target, by successive halving."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from fractalgan.errors import InputError, require_at_least

DECAY = 0.9  # per step, of the running loss


class Candidates(nn.Module):
    """Ranks the candidates of n targets by a running loss, and drops the worse half of them at certain steps.

    The candidates of target i are the fractals ``i * num_candidates`` to ``(i + 1) * num_candidates - 1``.

    Args:
        num_targets: n, the number of targets.
        num_candidates: initial number of fractals per target.
        halvings: steps after which the better half of the candidates remains.

    Raises:
        InputError: for ``halvings`` that do not increase from 1 on.
    """

    ranking: Tensor  # [n, num_candidates] fractals; those that remain come first
    running_loss: Tensor  # [n * num_candidates] of each fractal; infinite for one that was dropped

    def __init__(self, num_targets: int, num_candidates: int = 1, halvings: Sequence[int] = ()) -> None:
        super().__init__()
        require_at_least(1, num_targets=num_targets, num_candidates=num_candidates)
        require_halvings(halvings)
        self.halvings = tuple(halvings)
        fractals = torch.arange(num_targets * num_candidates)
        self.register_buffer("ranking", fractals.view(num_targets, num_candidates))
        self.register_buffer("running_loss", torch.zeros(len(fractals)))

    def __len__(self) -> int:
        return len(self.ranking)

    def extra_repr(self) -> str:
        number, candidates = self.ranking.shape
        return f"num_targets={number}, num_candidates={candidates}, halvings={self.halvings}"

    def count(self, step: int) -> int:
        """Candidates per target that take part in this step, counted from 0."""
        halved = sum(each <= step for each in self.halvings)
        count: int = max(1, self.ranking.shape[1] // 2**halved)
        return count

    def remaining(self, rows: Tensor, step: int) -> Tensor:
        """The fractals [rows, count(step)] that take part in this step, for the targets in ``rows``."""
        return self.ranking[rows, : self.count(step)]

    def all_of(self, rows: Tensor) -> Tensor:
        """All fractals [rows * num_candidates] of the targets in ``rows``, in order."""
        candidates = self.ranking.shape[1]
        offsets = torch.arange(candidates, device=rows.device)
        return (rows.unsqueeze(1) * candidates + offsets).flatten()

    @torch.no_grad()
    def update(self, losses: Tensor, rows: Tensor, step: int) -> None:
        """Take the losses [rows, count(step)] of :meth:`remaining` in, and halve if the step is due."""
        fractals = self.remaining(rows, step)
        before = self.running_loss[fractals]
        self.running_loss[fractals] = losses if step == 0 else before.lerp(losses, 1 - DECAY)
        after = self.count(step + 1)
        if after < fractals.shape[1]:
            better = torch.argsort(self.running_loss[fractals], dim=1, stable=True)
            fractals = fractals.gather(1, better)
            self.ranking[rows, : fractals.shape[1]] = fractals
            self.running_loss[self.ranking[rows, after:]] = math.inf

    def winners(self) -> Tensor:
        """The fractal [n] of each target: that with the lowest running loss of those that remain."""
        best = self.running_loss[self.ranking].argmin(1, keepdim=True)
        return self.ranking.gather(1, best).squeeze(1)


def require_halvings(halvings: Sequence[int]) -> None:
    """Raise InputError unless the steps increase from 1 on."""
    if any(later <= earlier for earlier, later in pairwise([0, *halvings])):
        raise InputError(f"halvings must be increasing numbers of steps >= 1, got {list(halvings)}")
