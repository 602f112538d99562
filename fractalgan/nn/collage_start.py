"""Initial fractals from the targets themselves: collages of them, adjusted by gradient descent."""

from collections.abc import Iterable

import torch
from rich.progress import track
from torch import Tensor

from fractalgan.ops import Greed, Transforms, descend_collage, search_collages
from fractalgan.randomness import Purpose, generator_for

# What the searches for the candidates of a target prefer, in turn.
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

MANY = 4  # targets, which take long enough for a progress bar


def collage_fractals(
    targets: Tensor, indices: Iterable[int], candidates: int, num_transforms: int, window: float, seed: int
) -> Transforms:
    """Collages of targets, each independent of the other targets.

    Args:
        targets: [n, 1, H, W] in [0, 1].
        indices: n numbers that the random numbers of each target follow from.
        candidates: collages per target, of searches with different preferences.
        num_transforms: N.
        window: half the side of the square of the plane that the fractals are drawn in.
        seed: random seed.

    Returns:
        A [n * candidates, N, 2, 2] and b [n * candidates, N, 2], the candidates of each target in turn.
    """
    greeds = [GREEDS[k % len(GREEDS)] for k in range(candidates)]
    found = []
    pairs = zip(targets[:, 0], indices, strict=True)
    slow = len(targets) >= MANY
    for target, index in track(
        pairs, "searching collages", total=len(targets), transient=True, disable=not slow
    ):
        random = generator_for(seed, index, Purpose.RECONSTRUCTION_COLLAGE)
        collages = search_collages(target, num_transforms, random, greeds)
        found.append(descend_collage(target.expand(candidates, -1, -1), collages))
    A, b = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Transforms(A, b * window)
