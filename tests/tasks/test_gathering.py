"""What several ranks learn apart, gathered without a process group."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from fractalgan.nn import Candidates, FractalEmbedding, FractalGenerator, TargetFractals
from fractalgan.ops import anderson_farrell
from fractalgan.randomness import RankShard
from fractalgan.tasks.gathering import TargetGatherer


def gathered(method: str, per_rank: list[Any], num_targets: int) -> Any:
    """What a method returns where rank r has ``per_rank[r]``: the ranks before the last are played back."""
    world_size = len(per_rank)
    parts: list[list[Tensor]] = []

    def gatherer(rank: int, reduce: Any) -> TargetGatherer:
        strategy: Any = SimpleNamespace(reduce=reduce)
        return TargetGatherer(num_targets, RankShard(rank, world_size), strategy)

    def note(noted: list[Tensor], own: Tensor, reduce_op: str) -> Tensor:
        assert reduce_op == "sum"
        noted.append(own)
        return own

    for rank in range(world_size - 1):
        noted: list[Tensor] = []
        getattr(gatherer(rank, partial(note, noted)), method)(per_rank[rank])
        parts.append(noted)
    calls = iter(zip(*parts, strict=True))

    def add(own: Tensor, reduce_op: str) -> Tensor:
        assert reduce_op == "sum"
        return torch.stack([*next(calls), own]).sum(0).to(own.dtype)

    return getattr(gatherer(world_size - 1, add), method)(per_rank[-1])


def test_rows_of_a_target_come_from_its_rank() -> None:
    mine = [torch.full((10, 3), float(rank)) for rank in range(2)]  # two rows for each of five targets
    found = gathered("rows", mine, 5)
    assert found[:, 0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0]
    assert mine[1].eq(1).all()


def test_integers_and_infinities_are_gathered() -> None:
    rankings = [torch.tensor([[0, 1], [2, 3], [4, 5]]), torch.tensor([[1, 0], [3, 2], [5, 4]])]
    assert gathered("rows", rankings, 3).tolist() == [[0, 1], [3, 2], [4, 5]]
    losses = [torch.tensor([torch.inf, 1.0]), torch.tensor([2.0, torch.inf])]
    assert gathered("rows", losses, 2).tolist() == [torch.inf, torch.inf]


def target_fractals(seed: int) -> TargetFractals:
    start = anderson_farrell(6, 2, torch.Generator().manual_seed(seed))
    return TargetFractals(FractalGenerator(FractalEmbedding(start)), Candidates(3, 2), torch.arange(3))


def test_fractals_are_a_copy_with_each_target_from_its_rank() -> None:
    mine = [target_fractals(seed) for seed in range(2)]
    before = {name: value.clone() for name, value in mine[1].state_dict().items()}
    found = gathered("fractals", mine, 3)
    b = [each.generator.embedding.b for each in (*mine, found)]
    assert b[2].equal(torch.cat([b[0][:2], b[1][2:4], b[0][4:]]))
    assert all(mine[1].state_dict()[name].equal(value) for name, value in before.items())


def test_optimizer_states_are_copies() -> None:
    def state(rank: int) -> dict[str, Any]:
        moments = {"step": torch.tensor(7.0), "exp_avg": torch.full((2, 3), float(rank))}
        return {"state": {0: moments}, "param_groups": [{"lr": 0.1, "params": [0]}]}

    mine = [state(rank) for rank in range(2)]
    found = gathered("optimizer_state", mine, 2)
    assert found["state"][0]["exp_avg"].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert found["state"][0]["step"] == 7
    assert found["param_groups"] == mine[1]["param_groups"]
    assert mine[1]["state"][0]["exp_avg"].eq(1).all()
