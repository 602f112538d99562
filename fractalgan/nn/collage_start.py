"""Initial fractals from the targets themselves: collages of them, adjusted by gradient descent."""

import logging
from collections.abc import Sequence

import torch
from rich.progress import track
from torch import Tensor

from fractalgan.ops import Greed, Transforms, collage_bound, descend_collage, search_collages
from fractalgan.randomness import Purpose, generator_for

log = logging.getLogger(__name__)

# What the searches for a target prefer, in turn.
GREEDS = (
    Greed(0.75, 1.0),
    Greed(0.88, 1.0),
    Greed(0.62, 1.0),
    Greed(0.75, 0.6),
    Greed(0.75, 2.0),
    Greed(0.88, 0.6),
    Greed(0.5, 0.6),
    Greed(0.88, 2.0),
)

SEARCHES = 4  # per target, or as many as there are candidates
MANY = 4  # targets, which take long enough for a progress bar


def collage_fractals(
    targets: Tensor, indices: Sequence[int], candidates: int, num_transforms: int, window: float, seed: int
) -> Transforms:
    """The best collages of targets, each independent of the other targets.

    Args:
        targets: [n, 1, H, W] in [0, 1].
        indices: n numbers that the random numbers of each target follow from.
        candidates: collages per target.
        num_transforms: N.
        window: half the side of the square of the plane that the fractals are drawn in.
        seed: random seed.

    Returns:
        A [n * candidates, N, 2, 2] and b [n * candidates, N, 2], the candidates of each target in turn.
    """
    slow = len(targets) >= MANY
    if slow:
        log.info("searching initial collages for %d targets: some seconds each", len(targets))
    found = []
    for target, index in track(
        [*zip(targets[:, 0], indices, strict=True)], "searching collages", transient=True, disable=not slow
    ):
        random = generator_for(seed, index, Purpose.RECONSTRUCTION_COLLAGE)
        found.append(_best_collages(target, candidates, num_transforms, random))
    A, b = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Transforms(A, b * window)


def _best_collages(target: Tensor, number: int, num_transforms: int, random: torch.Generator) -> Transforms:
    """The ``number`` best of several collages of a target [H, W], each adjusted by gradient descent."""
    greeds = [GREEDS[k % len(GREEDS)] for k in range(max(SEARCHES, number))]
    pictures = target.expand(len(greeds), -1, -1)
    collages = descend_collage(pictures, search_collages(target, num_transforms, random, greeds))
    best = collage_bound(pictures, collages).argsort(stable=True)[:number]
    return Transforms(*(each[best] for each in collages))
