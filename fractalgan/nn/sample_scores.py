"""How well a set of drawn images stands for real ones: distances to the nearest, density and coverage."""

from typing import NamedTuple

import torch
from torch import Tensor

LEVEL = 0.5  # a pixel above it is white
NEIGHBORS = 5  # of a real image, among the real ones; the number of Naeem et al.
BLOCK = 1024  # images whose distances are computed at a time


class SampleScores(NamedTuple):
    """Scores of drawn images, from shapes alone: pixels are black or white, without labels or a network."""

    nearest_real: Tensor  # mean over fractals: differing pixels of its best image and the nearest real one
    nearest_drawn: Tensor  # mean over real images: differing pixels of it and the nearest drawn one
    density: Tensor  # how many real neighborhoods a drawn image is in, over what is expected; 1 for real ones
    coverage: Tensor  # the share of real neighborhoods with a drawn image; 1 at most


class RealImages:
    """Real images, as drawn ones are compared with them.

    Args:
        images: [n, 1, H, W] in [0, 1], at least two.

    Attributes:
        nearest_other: mean over real images: the share of pixels in which the nearest other one differs.
            What ``nearest_real`` would be if the fractals drew new real images.
    """

    def __init__(self, images: Tensor) -> None:
        self.shapes = _shapes(images)
        self.nearest_other = _least(self.shapes, self.shapes, rank=2).mean()
        self.neighbors = min(NEIGHBORS, len(images) - 1)
        self.radii = _least(
            self.shapes, self.shapes, rank=1 + self.neighbors
        )  # of rank 1 is the image itself

    def scores(self, drawn: Tensor) -> SampleScores:
        """The scores of images [K, J, 1, H, W], K of each of J fractals."""
        per_fractal, number = drawn.shape[:2]
        shapes = _shapes(drawn.flatten(0, 1))
        to_real = _least(shapes, self.shapes).view(per_fractal, number)
        inside = torch.cdist(shapes, self.shapes).square() <= self.radii
        return SampleScores(
            nearest_real=to_real.min(0).values.mean(),
            nearest_drawn=_least(self.shapes, shapes).mean(),
            density=inside.float().sum(1).mean() / self.neighbors,
            coverage=inside.any(0).float().mean(),
        )


def _shapes(images: Tensor) -> Tensor:
    """Pixels [n, H * W] that are 0 or 1, scaled so that squared distances are shares of differing pixels."""
    white = (images > LEVEL).float().flatten(1)
    scaled: Tensor = white / white.shape[1] ** 0.5
    return scaled


def _least(points: Tensor, others: Tensor, rank: int = 1) -> Tensor:
    """The squared distance [n] of each of points [n, D] to its nearest of others [m, D], or a later one."""
    distances = (torch.cdist(block, others).square() for block in torch.split(points, BLOCK))
    return torch.cat([each.kthvalue(rank, dim=1).values for each in distances])
