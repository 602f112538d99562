"""Gather what ranks learn apart, each for its own targets."""

import copy
from typing import Any, NamedTuple

import torch
from pytorch_lightning.strategies import Strategy
from torch import Tensor

from fractalgan.nn import TargetFractals
from fractalgan.randomness import RankShard


class TargetGatherer(NamedTuple):
    """Gathers copies of what belongs to n targets; target i belongs to rank ``i % world_size``.

    All methods are collective: every rank calls them.

    Args:
        num_targets: n.
        shard: this rank.
        strategy: what adds up tensors over the ranks.
    """

    num_targets: int
    shard: RankShard
    strategy: Strategy

    def rows(self, mine: Tensor) -> Tensor:
        """A copy of [n * k, ...], with the k rows of each target from its own rank."""
        per_target = mine.reshape(self.num_targets, -1, *mine.shape[1:])
        own = torch.zeros_like(per_target)
        ours = slice(self.shard.rank, None, self.shard.world_size)
        own[ours] = per_target[ours]
        gathered: Tensor = self.strategy.reduce(own, reduce_op="sum")  # the other ranks have 0 there
        return gathered.flatten(0, 1)

    def fractals(self, mine: TargetFractals) -> TargetFractals:
        """A copy of the fractals."""
        gathered = copy.deepcopy(mine)
        gathered.load_state_dict({name: self.rows(value) for name, value in mine.state_dict().items()})
        return gathered

    def optimizer_state(self, mine: dict[str, Any]) -> dict[str, Any]:
        """A copy of an optimizer's state of one tensor per parameter; counts are the same on all ranks."""
        state = {
            number: {name: self.rows(value) if value.ndim else value for name, value in each.items()}
            for number, each in mine["state"].items()
        }
        return {**mine, "state": state}
