"""The optimal transport distance between drawn and real images."""

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F

from fractalgan.nn import optimal_assignment, pyramid, transport_distance
from fractalgan.randomness import RankShard


def images(count: int, size: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [16, 33])
def test_distances_of_a_pyramid_are_sums_of_mse_over_scales(size: int) -> None:
    one, other = images(2, size)
    scales = [
        (F.avg_pool2d(one, factor, ceil_mode=True), F.avg_pool2d(other, factor, ceil_mode=True))
        for factor in (1, 2)
    ]
    coarsest = tuple(F.avg_pool2d(each, 2, ceil_mode=True) for each in scales[-1])
    expected = sum(F.mse_loss(*pair) for pair in [*scales, coarsest])
    first, second = pyramid(torch.stack([one, other]))
    torch.testing.assert_close((first - second).square().sum(), expected)


def test_assignment_is_the_cheapest_of_all() -> None:
    cost = torch.rand(6, 6, generator=torch.Generator().manual_seed(1))
    found = cost[torch.arange(6), optimal_assignment(cost)].sum()
    costs = torch.stack(
        [cost[torch.arange(6), torch.tensor(order)].sum() for order in permutations(range(6))]
    )
    assert found == costs.min()


def test_the_same_images_in_another_order_have_no_distance() -> None:
    real = images(8)
    drawn = real[torch.randperm(8, generator=torch.Generator().manual_seed(0))]
    assert transport_distance(drawn, real) == 0


def test_two_equal_images_go_to_two_real_ones() -> None:
    """The nearest real image is the same for both, but no image is assigned twice."""
    real = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)])
    drawn = torch.full((2, 1, 16, 16), 0.25, requires_grad=True)
    distance = transport_distance(drawn, real)
    torch.testing.assert_close(distance, torch.tensor(3 * (0.25**2 + 0.75**2) / 2))
    distance.backward()
    toward = drawn.grad.sum((1, 2, 3)).sign()
    assert sorted(toward.tolist()) == [-1, 1]  # one becomes darker, one brighter


def test_ranks_together_have_the_distance_of_one() -> None:
    """Each of two ranks sees half of the batch, gathers the other half, and finds the same assignment."""
    drawn, real = images(8, seed=1), images(8, seed=2)
    halves = []
    for rank in range(2):
        shard = RankShard(rank, 2)
        gathered = iter([pyramid(drawn).view(2, 4, -1), pyramid(real).view(2, 4, -1)])
        halves.append(
            transport_distance(shard.of(drawn), shard.of(real), lambda _, each=gathered: next(each), shard)
        )
    torch.testing.assert_close(torch.stack(halves).mean(), transport_distance(drawn, real))
