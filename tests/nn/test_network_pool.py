"""Networks of different ages, and their replacement."""

import pickle
from collections.abc import Iterable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.optim import Adam

from fractalgan.nn import NetworkPool, make_network
from fractalgan.randomness import torch_seeded

make = partial(make_network, "convnet", 3, 8, 1, 2)


def step(pool: NetworkPool, number: int, optimizer: Adam, *key: int) -> None:
    optimizer.zero_grad()
    pool[number](torch.rand(4, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    pool.grow_(number, optimizer, *key)


def same(some: Iterable[Tensor], others: Iterable[Tensor]) -> bool:
    return all(one.equal(other) for one, other in zip(some, others, strict=True))


@pytest.mark.parametrize(
    ("count", "max_age", "ages"),
    [(4, 100, [0, 25, 50, 75]), (3, 2, [0, 0, 1]), (3, 1, [0, 0, 0]), (1, 9, [0])],
)
def test_first_ages_are_staggered(count: int, max_age: int, ages: list[int]) -> None:
    pool = NetworkPool(make, count, max_age)
    assert pool.ages.tolist() == ages
    assert len(pool) == count
    assert not same(pool[0].parameters(), make().parameters())


def test_old_network_is_replaced_and_its_optimizer_state_forgotten() -> None:
    pool = NetworkPool(make, 2, 4)
    optimizer = Adam(pool.parameters())
    step(pool, 0, optimizer, 7)
    step(pool, 1, optimizer, 7)
    assert pool.ages.tolist() == [1, 3]
    other = [each.clone() for each in pool[0].parameters()]
    before = torch.random.get_rng_state()
    pool.grow_(1, optimizer, 7)
    assert torch.random.get_rng_state().equal(before)
    assert pool.ages.tolist() == [1, 0]
    with torch_seeded(7):
        assert same(pool[1].parameters(), make().parameters())
    assert same(pool[0].parameters(), other)
    assert all(each in optimizer.state for each in pool[0].parameters())
    assert not any(each in optimizer.state for each in pool[1].parameters())
    step(pool, 1, optimizer, 8)
    assert {int(optimizer.state[each]["step"]) for each in pool[1].parameters()} == {1}


def test_weights_of_a_new_network_follow_from_the_key() -> None:
    made = []
    for key in ((1, 2), (1, 2), (1, 3)):
        pool = NetworkPool(make, 1, 1)
        pool.grow_(0, Adam(pool.parameters()), *key)
        made.append([*pool.parameters()])
    assert same(made[0], made[1])
    assert not same(made[0], made[2])


def test_state_has_the_ages_and_processes_may_exchange_a_pool() -> None:
    pool = NetworkPool(make, 2, 4)
    pool.ages += 1
    again = NetworkPool(make, 2, 4)
    again.load_state_dict(pool.state_dict())
    assert again.ages.tolist() == [1, 3]
    assert same(pickle.loads(pickle.dumps(pool)).parameters(), pool.parameters())
