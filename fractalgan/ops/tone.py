"""From the measure of a fractal to a picture: brightness by the logarithm of density."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

CONTRAST = 50.0  # dynamic range: the ratio of the brightest to the darkest visible density
WHITE = 0.95  # quantile of densities that is fully opaque, of fractals without features
WHITE_OF_COLORS = 0.5  # the same with features, where shades come from the features
SAMPLE = 1_000_000  # pixels that quantiles are taken from


class Layer(NamedTuple):
    """A picture without its background."""

    colors: Tensor  # [K, H, W] in [0, 1], times alpha; K = 0 without features
    alpha: Tensor  # [H, W] in [0, 1]

    def on(self, background: Tensor) -> Tensor:
        """The picture on a background [K]: ``[K, H, W]``, or without features alpha as ``[1, H, W]``."""
        if not len(self.colors):
            return self.alpha[None]
        return self.colors + (1 - self.alpha) * background.to(self.colors)[:, None, None]

    def smaller(self, factor: int) -> "Layer":
        """The means of squares of ``factor`` x ``factor`` pixels."""
        means = F.avg_pool2d(torch.cat([self.colors, self.alpha[None]]), factor)
        return Layer(means[:-1], means[-1])


def tone(sums: Tensor) -> Layer:
    """The picture of a measure, in which fine structures are visible beside dense ones.

    With w the part of the points at a pixel, and w_1 a quantile of that of all pixels with points,
    alpha = min(1, log(1 + 50 w / w_1) / log 51), as fractal flames are toned (Draves & Reckase 2003). The
    quantile follows the view, so that a picture at any zoom has dark and bright parts.

    Args:
        sums: of a :class:`Measure`, ``[1 + K, H, W]``.
    """
    density = sums[0]
    visible = density[density > 0]
    if not len(visible):
        return Layer(torch.zeros_like(sums[1:]), torch.zeros_like(density))
    sample = visible[:: math.ceil(len(visible) / SAMPLE)]
    white = sample.quantile(WHITE if len(sums) == 1 else WHITE_OF_COLORS)
    alpha = ((CONTRAST * density / white).log1p() / math.log1p(CONTRAST)).clamp_max(1)
    return Layer(sums[1:] / density.clamp_min(torch.finfo(density.dtype).tiny) * alpha, alpha)
