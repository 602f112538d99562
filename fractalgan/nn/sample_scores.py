"""How well a set of drawn images stands for real ones: distances to the nearest, density and coverage."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from fractalgan.nn.image_features import backgrounds

LEVEL = 0.5  # a pixel above it is white
TINY = 1e-6  # of nothing in either image
NEIGHBORS = 5  # of a real image, among the real ones; the number of Naeem et al.
BLOCK = 1024  # images that are compared with all others at a time


class SampleScores(NamedTuple):
    """Scores of drawn images, without labels or a network.

    Images are black or white, or have gray levels or colors. Of black and white ones, IoU is the share of the
    white pixels of two, of either, that are white in both; of others, its extension to real numbers, the
    Tanimoto coefficient a.b / (a.a + b.b - a.b) of their differences a and b from the mean background of real
    images. Every field is a scalar tensor.
    """

    shape_distance: Tensor  # 1 - (iou_real + iou_drawn) / 2
    iou_real: Tensor  # mean over fractals: IoU of its best image and the nearest real one
    iou_drawn: Tensor  # mean over real images: IoU of it and the nearest drawn one
    iou_other: Tensor  # mean over real images: IoU of it and the nearest other real one
    nearest_real: Tensor  # as iou_real, by the MSE, which is the share of pixels that differ
    nearest_drawn: Tensor
    nearest_other: Tensor
    density: Tensor  # how many real neighborhoods a drawn image is in, over what is expected; 1 for real ones
    coverage: Tensor  # the share of real neighborhoods with a drawn image


class RealImages:
    """Real images, as drawn ones are compared with them.

    Density and coverage are those of Naeem et al. (ICML 2020); the distance is the MSE.

    Args:
        images: [n, C, H, W] in [0, 1]. A single image is its own neighbor.
        binary: whether pixels are taken as black or white, as those of fractals without features.
    """

    def __init__(self, images: Tensor, binary: bool = True) -> None:
        self.background = None if binary else backgrounds(images).mean(0)[:, None, None]
        self.shapes = self._shapes(images)
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
        """The scores of images [J, C, H, W] of J fractals, drawn several times."""
        zeros = torch.zeros_like(self.radii)
        iou_drawn, nearest_drawn, covered = zeros, zeros + torch.inf, zeros.bool()
        ious, distances, inside = [], [], []
        for drawn in draws:
            differ, iou = compare_shapes(self._shapes(drawn), self.shapes)
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

    def nearest(self, drawn: Tensor) -> Tensor:
        """The index [J] of the real image that has the largest IoU with each drawn one [J, C, H, W]."""
        _, iou = compare_shapes(self._shapes(drawn), self.shapes)
        return iou.argmax(1)

    def _shapes(self, images: Tensor) -> Tensor:
        """Pixels [n, C * H * W]: 0, black, or 1, white; or differences from the background."""
        if self.background is None:
            return (images > LEVEL).float().flatten(1)
        return (images - self.background).float().flatten(1)


def compare_shapes(shapes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """The MSE and the IoU of shapes [n, P] and others [m, P]: [n, m] each.

    Two shapes without a white pixel have an IoU of 0: a fractal that draws nothing is never a good one.
    """
    both = shapes @ others.T
    either = shapes.square().sum(1, keepdim=True) + others.square().sum(1) - both
    return (either - both).clamp_min(0) / shapes.shape[1], (both / either.clamp_min(TINY)).clamp_min(0)
