"""Adversarial losses on logits, the R1 penalty, and instance noise."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fractalgan.randomness import Share

LossName = Literal["non-saturating", "hinge", "wasserstein"]


class AdversarialLoss(NamedTuple):
    """What each side minimises; logits [B], high for what the discriminator takes to be real."""

    discriminator: Callable[[Tensor, Tensor], Tensor]  # real logits, fake logits -> scalar
    generator: Callable[[Tensor], Tensor]  # fake logits -> scalar


LOSSES: dict[str, AdversarialLoss] = {
    # Goodfellow et al. 2014
    "non-saturating": AdversarialLoss(
        discriminator=lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        generator=lambda fake: F.softplus(-fake).mean(),
    ),
    # Lim & Ye 2017; Miyato et al. 2018
    "hinge": AdversarialLoss(
        discriminator=lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        generator=lambda fake: -fake.mean(),
    ),
    # Arjovsky et al. 2017; needs a penalty that bounds the discriminator's slope
    "wasserstein": AdversarialLoss(
        discriminator=lambda real, fake: fake.mean() - real.mean(),
        generator=lambda fake: -fake.mean(),
    ),
}


def r1_penalty(real_logits: Tensor, real: Tensor) -> Tensor:
    """Mean over the batch of ||d logit / d image||^2 at real images [B, ...] (Mescheder et al. 2018, Eq. 9).

    The images must require their gradient, and be what the logits [B] were computed from, each from its
    own. Without the factor gamma / 2. Differentiable in the discriminator's parameters.
    """
    (slope,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()


def instance_noise(
    images: Tensor,
    std: float,
    generator: torch.Generator | None = None,
    share: Share = Share(),  # noqa: B008
) -> Tensor:
    """Images plus N(0, std^2) on every pixel (Sonderby et al. 2017); drawn on the generator's device."""
    if std == 0:
        return images
    device = images.device if generator is None else generator.device
    noise = share.draw(torch.randn, *images.shape, generator=generator, device=device, dtype=images.dtype)
    return noise.to(images.device).mul_(std).add(images)
