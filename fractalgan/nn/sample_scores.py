"""How well a set of drawn images stands for real ones: distances to the nearest, density and coverage."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

LEVEL = 0.5  # a pixel above it is white
NEIGHBORS = 5  # of a real image, among the real ones; the number of Naeem et al.
BLOCK = 1024  # images that are compared with all others at a time


class SampleScores(NamedTuple):
    """Scores of drawn images, from shapes alone: pixels are black or white, without labels or a network.

    IoU is the share of the white pixels of two images, of either, that are white in both. Every field is a
    scalar tensor.
    """

    shape_distance: Tensor  # 1 - (iou_real + iou_drawn) / 2
    iou_real: Tensor  # mean over fractals: IoU of its best image and the nearest real one
    iou_drawn: Tensor  # mean over real images: IoU of it and the nearest drawn one
    iou_other: Tensor  # mean over real images: IoU of it and the nearest other real one
    nearest_real: Tensor  # as iou_real, by the share of pixels that differ: the MSE
    nearest_drawn: Tensor
    nearest_other: Tensor
    density: Tensor  # how many real neighborhoods a drawn image is in, over what is expected; 1 for real ones
    coverage: Tensor  # the share of real neighborhoods with a drawn image


class RealImages:
    """Real images, as drawn ones are compared with them.

    Density and coverage are those of Naeem et al. (ICML 2020); the distance is the share of differing pixels.

    Args:
        images: [n, 1, H, W] in [0, 1]. A single image is its own neighbor.
    """

    def __init__(self, images: Tensor) -> None:
        self.shapes = _shapes(images)
        self.neighbors = max(1, min(NEIGHBORS, len(images) - 1))
        differing, ious, radii = [], [], []
        for first in range(0, len(images), BLOCK):
            block = self.shapes[first : first + BLOCK]
            differ, iou = compare_shapes(block, self.shapes)
            if len(images) > 1:  # leave out the image itself
                differ.diagonal(first).fill_(torch.inf)
                iou.diagonal(first).zero_()
            differing.append(differ.min(1).values)
            ious.append(iou.max(1).values)
            radii.append(differ.kthvalue(self.neighbors, 1).values)
        self.nearest_other, self.iou_other = torch.cat(differing).mean(), torch.cat(ious).mean()
        self.radii = torch.cat(radii)

    def scores(self, draws: Iterable[Tensor]) -> SampleScores:
        """The scores of images [J, 1, H, W] of J fractals, drawn several times."""
        zeros = torch.zeros_like(self.radii)
        iou_drawn, nearest_drawn, covered = zeros, zeros + torch.inf, zeros.bool()
        ious, distances, inside = [], [], []
        for drawn in draws:
            differ, iou = compare_shapes(_shapes(drawn), self.shapes)
            ious.append(iou.max(1).values)
            distances.append(differ.min(1).values)
            iou_drawn = iou_drawn.maximum(iou.max(0).values)
            nearest_drawn = nearest_drawn.minimum(differ.min(0).values)
            within = differ <= self.radii
            inside.append(within.float().sum(1).mean())
            covered |= within.any(0)
        iou_real = torch.stack(ious).max(0).values.mean()
        return SampleScores(
            shape_distance=1 - (iou_real + iou_drawn.mean()) / 2,
            iou_real=iou_real,
            iou_drawn=iou_drawn.mean(),
            iou_other=self.iou_other,
            nearest_real=torch.stack(distances).min(0).values.mean(),
            nearest_drawn=nearest_drawn.mean(),
            nearest_other=self.nearest_other,
            density=torch.stack(inside).mean() / self.neighbors,
            coverage=covered.float().mean(),
        )


def compare_shapes(shapes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of differing pixels, and the IoU, of shapes [n, P] and others [m, P]: [n, m] each.

    Two shapes without a white pixel have an IoU of 0: a fractal that draws nothing is never a good one.
    """
    both = shapes @ others.T
    either = shapes.sum(1, keepdim=True) + others.sum(1) - both
    return (either - both) / shapes.shape[1], both / either.clamp_min(1)


def _shapes(images: Tensor) -> Tensor:
    """Pixels [n, H * W] that are 0, black, or 1, white."""
    return (images > LEVEL).float().flatten(1)
