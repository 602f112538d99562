import math
import pickle

import pytest
import torch
from torch import nn

from fractalgan.nn import LOSSES, LossName, instance_noise, r1_penalty
from fractalgan.randomness import RandomSource, RankShard


def test_non_saturating_loss_is_binary_cross_entropy() -> None:
    real, fake = torch.randn(2, 50, dtype=torch.float64)
    bce = nn.BCEWithLogitsLoss()
    loss = LOSSES["non-saturating"]
    expected = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    torch.testing.assert_close(loss.discriminator(real, fake), expected)
    torch.testing.assert_close(loss.generator(fake), bce(fake, torch.ones_like(fake)))


def test_hinge_loss_by_hand() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert LOSSES["hinge"].discriminator(real, fake) == pytest.approx((0 + 0.5) / 2 + (0 + 1) / 2)
    assert LOSSES["hinge"].generator(fake) == pytest.approx(1.5)


def test_wasserstein_loss_by_hand() -> None:
    real, fake = torch.tensor([2.0, 1.0]), torch.tensor([-3.0, 0.0])
    assert LOSSES["wasserstein"].discriminator(real, fake) == pytest.approx(-3.0)
    assert LOSSES["wasserstein"].generator(fake) == pytest.approx(1.5)


@pytest.mark.parametrize("name", list(LOSSES))
def test_each_side_wants_what_the_other_does_not(name: LossName) -> None:
    real = torch.zeros(4)
    fake = torch.zeros(4, requires_grad=True)
    (for_d,) = torch.autograd.grad(LOSSES[name].discriminator(real, fake), fake)
    (for_g,) = torch.autograd.grad(LOSSES[name].generator(fake), fake)
    assert (for_d > 0).all()
    assert (for_g < 0).all()


def test_r1_of_a_linear_discriminator_is_its_squared_norm() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(16, 1)).double()
    weight = linear[1].weight
    real = torch.rand(7, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    penalty = r1_penalty(linear(real).squeeze(1), real)
    torch.testing.assert_close(penalty, weight.square().sum())
    (slope,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(slope, 2 * weight.detach())


def test_instance_noise_has_its_std_and_is_repeatable() -> None:
    images = torch.rand(50, 1, 16, 16)
    first, second = (instance_noise(images, 0.2, torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.equal(second)
    assert (first - images).std() == pytest.approx(0.2, rel=0.05)
    assert math.isclose((first - images).mean(), 0, abs_tol=0.01)
    assert instance_noise(images, 0.0) is images


def test_ranks_share_the_instance_noise_that_one_process_draws() -> None:
    images = torch.zeros(6, 1, 4, 4)
    whole = instance_noise(images, 0.2, torch.Generator().manual_seed(1))
    halves = [
        instance_noise(images[:3], 0.2, RandomSource(torch.Generator().manual_seed(1), RankShard(rank, 2)))
        for rank in (0, 1)
    ]
    assert torch.cat(halves).equal(whole)


@pytest.mark.parametrize("name", list(LOSSES))
def test_losses_can_be_pickled(name: LossName) -> None:
    assert pickle.loads(pickle.dumps(LOSSES[name])) == LOSSES[name]
