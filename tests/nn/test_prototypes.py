"""Prototypes: how they are chosen and assigned, and the distance from them."""

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F

from fractalgan.nn import choose_prototypes, prototype_distance, prototype_order, pyramid


def images(count: int, size: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [16, 33])
def test_distances_of_a_pyramid_are_sums_of_mse_over_scales(size: int) -> None:
    pair = images(2, size)
    expected, level = torch.zeros(()), pair
    for _ in range(3):
        expected += F.mse_loss(level[0], level[1])
        level = F.avg_pool2d(level, 2, ceil_mode=True)
    first, second = pyramid(pair)
    torch.testing.assert_close((first - second).square().sum(), expected)
    torch.testing.assert_close(prototype_distance(pair[:1], pair[1:]), expected)


def test_prototypes_are_given_images_and_one_of_each_kind() -> None:
    kinds = images(4).round()
    noisy = (kinds[torch.arange(200) % 4] - 0.1 * images(200, seed=1)).clamp(0, 1)
    chosen = choose_prototypes(noisy, 4, seed=0)
    assert all((noisy == each).flatten(1).all(1).any() for each in chosen)
    nearest = torch.cdist(chosen.flatten(1), kinds.flatten(1)).argmin(1)
    assert sorted(nearest.tolist()) == [0, 1, 2, 3]
    assert choose_prototypes(noisy, 4, seed=0).equal(chosen)


def test_prototypes_follow_from_seeds_of_64_bits() -> None:
    many = images(40)
    chosen = [choose_prototypes(many, 3, seed) for seed in (1, 1, 2**63 + 1)]
    assert chosen[0].equal(chosen[1])
    assert chosen[2].equal(chosen[0])  # scikit-learn's seeds have 32


def test_fewer_images_than_prototypes_are_taken_in_turn() -> None:
    few = images(3)
    assert choose_prototypes(few, 5, seed=0).equal(few[[0, 1, 2, 0, 1]])


def test_assignment_is_the_nearest_of_all() -> None:
    drawn, prototypes = images(5, seed=1), images(5, seed=2)

    def total(candidates: torch.Tensor) -> float:
        return prototype_distance(drawn, candidates).item()

    found = prototypes[prototype_order(drawn, prototypes)]
    best = min(total(prototypes[list(order)]) for order in permutations(range(5)))
    assert total(found) == pytest.approx(best)


def test_with_labels_prototypes_stay_within_their_class() -> None:
    drawn, prototypes, labels = images(6, seed=1), images(6, seed=2), torch.tensor([0, 1, 0, 1, 1, 0])
    order = prototype_order(drawn, prototypes, labels)
    assert labels[order].equal(labels)
    for label in (0, 1):
        places = (labels == label).nonzero().squeeze(1)
        within = prototype_order(drawn[places], prototypes[places])
        assert order[places].equal(places[within])


def test_gradient_brightens_and_darkens_toward_the_prototype() -> None:
    drawn = torch.full((2, 1, 16, 16), 0.5, requires_grad=True)
    wanted = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)])
    prototype_distance(drawn, wanted).backward()
    assert (drawn.grad[0] > 0).all()
    assert (drawn.grad[1] < 0).all()
