"""Optimal transport between drawn and real images: each drawn image approaches a real one of its own."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from fractalgan.randomness import RankShard

LEVELS = 3  # of a pyramid: the image, and its means over 2 x 2 and 4 x 4 pixels


def pyramid(images: Tensor) -> Tensor:
    """Features [B, D] of images [B, 1, H, W] whose squared distances compare the images at several scales.

    The squared distance of two images is the sum of their MSE over the levels of an image pyramid.
    """
    levels = []
    for _ in range(LEVELS):
        levels.append(images.flatten(1) / images[0].numel() ** 0.5)
        images = F.avg_pool2d(images, 2, ceil_mode=True)
    return torch.cat(levels, 1)


def optimal_assignment(cost: Tensor) -> Tensor:
    """The columns [B], each once, that the rows of a cost matrix [B, B] are assigned to at least cost.

    It is the optimal transport plan between two sets of equal weights, found exactly, on the CPU.
    """
    _, columns = linear_sum_assignment(cost.cpu().numpy())
    return torch.from_numpy(columns).to(cost.device)


def transport_distance(
    drawn: Tensor,
    real: Tensor,
    gather: Callable[[Tensor], Any] = lambda rows: rows,
    shard: RankShard = RankShard(),  # noqa: B008
) -> Tensor:
    """The optimal transport distance of drawn from real images, on the features of :func:`pyramid`.

    Its gradient pulls every drawn image to the real one that it is assigned to. No real image is assigned
    twice, so the drawn images spread as the real ones do (Genevay et al., AISTATS 2018, use such a distance
    between batches, smoothed, as the loss of a generator; here it is exact).

    Args:
        drawn: [B, 1, H, W] in [0, 1].
        real: [B, 1, H, W] in [0, 1].
        gather: gathers rows [B, D] of all ranks as [ranks, B, D], for an assignment over all ranks.
        shard: this rank.

    Returns:
        The mean squared distance [] of this rank's drawn images, differentiable in them.
    """
    features, wanted = pyramid(drawn), pyramid(real)
    everywhere, all_wanted = (gather(each.detach()).flatten(0, -2) for each in (features, wanted))
    partners = shard.of(optimal_assignment(torch.cdist(everywhere, all_wanted).square()))
    distances: Tensor = (features - all_wanted[partners]).square().sum(1)
    return distances.mean()
