"""Adversarial losses on logits, the R1 penalty, and instance noise."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fractalgan.randomness import RandomSource

LossName = Literal["non-saturating", "hinge", "wasserstein"]


class AdversarialLoss(NamedTuple):
    """What each side minimizes, from logits [B] that are high for images that look real."""

    discriminator: Callable[[Tensor, Tensor], Tensor]  # real logits, fake logits -> scalar
    generator: Callable[[Tensor], Tensor]  # fake logits -> scalar


def non_saturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy (Goodfellow et al. 2014)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_generator(fake: Tensor) -> Tensor:
    """Binary cross-entropy with the labels flipped (Goodfellow et al. 2014)."""
    return F.softplus(-fake).mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Margins of 1 on both sides (Lim & Ye 2017; Miyato et al. 2018)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """The difference of means (Arjovsky et al. 2017); needs a penalty that bounds the slope."""
    return fake.mean() - real.mean()


def mean_generator(fake: Tensor) -> Tensor:
    """The negative mean logit: the generator's side of the hinge and the Wasserstein loss."""
    return -fake.mean()


LOSSES: dict[LossName, AdversarialLoss] = {
    "non-saturating": AdversarialLoss(non_saturating_discriminator, non_saturating_generator),
    "hinge": AdversarialLoss(hinge_discriminator, mean_generator),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, mean_generator),
}


def r1_penalty(real_logits: Tensor, real: Tensor) -> Tensor:
    """Mean over the batch of ||d logit / d image||^2 at real images [B, ...] (Mescheder et al. 2018, Eq. 9).

    The images must require a gradient, and each logit [B] must be computed from its own image. The factor
    gamma / 2 is left out. Differentiable in the discriminator's parameters.
    """
    (slope,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()


def instance_noise(
    images: Tensor, std: float, generator: RandomSource | torch.Generator | None = None
) -> Tensor:
    """Images [B, ...] plus N(0, std^2) on every pixel (Sonderby et al. 2017).

    The noise is drawn on the generator's device, on that of the images if there is no generator.
    """
    if std == 0:
        return images
    source = RandomSource.of(generator)
    device = images.device if source.generator is None else source.generator.device
    noise = source.randn(*images.shape, device=device, dtype=images.dtype)
    return noise.to(images.device).mul_(std).add(images)
