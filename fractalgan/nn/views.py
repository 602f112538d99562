"""Any part of a fractal at any size, as it is learned from and as a picture for people."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fractalgan.errors import require_at_least, require_at_most
from fractalgan.limits import MAX_PICTURE_SIZE
from fractalgan.nn.resolution import Resolution
from fractalgan.ops import Fractals, Layer, View, bump_reach, composite, measure, tone
from fractalgan.randomness import Purpose, generator_for

MIN_ZOOM, MAX_ZOOM = 1e-3, 1e9  # far beyond, float64 is too coarse
SUPERSAMPLING = 2  # pixels per pixel of a picture, along each side
MAX_POINTS_PER_PIXEL = 10_000


class Detail(NamedTuple):
    """How finely a picture is drawn."""

    size: int = 1024  # H = W, in pixels
    points_per_pixel: int = 30
    seed: int = 0

    def check(self) -> None:
        """Raise InputError for a value out of range."""
        require_at_least(1, size=self.size, points_per_pixel=self.points_per_pixel)
        require_at_most(MAX_PICTURE_SIZE, size=self.size)
        require_at_most(MAX_POINTS_PER_PIXEL, points_per_pixel=self.points_per_pixel)


def picture_layer(fractal: Fractals, probabilities: Tensor, view: View, detail: Detail) -> Layer:
    """An antialiased picture of one fractal, without the dimension J; see :func:`tone`."""
    size, points_per_pixel, seed = detail
    fine = SUPERSAMPLING * size
    half = view.half * _whole_pixels(size) / _whole_pixels(fine)
    number, source = points_per_pixel * size**2, generator_for(seed, Purpose.PICTURES)
    found = measure(fractal, probabilities, view._replace(half=half), fine, number, source)
    return tone(found.sums).smaller(SUPERSAMPLING)


def _whole_pixels(size: int) -> float:
    """The side of an image with the outer halves of its outermost pixels, if 1 is the side without them."""
    return size / max(1, size - 1)


def image_in_view(
    fractal: Fractals,
    probabilities: Tensor,
    view: View,
    resolution: Resolution,
    source: torch.Generator | None,
) -> Tensor:
    """An image [K or 1, H, W] as :func:`render` makes it, of which all T points are in a view."""
    size, num_points, tau = resolution
    sums, _ = measure(fractal, probabilities, view, size, num_points, source or torch.default_generator)
    in_view = sums[0].sum().item()
    counts = sums * (num_points / in_view if in_view else 0)
    reach = int(bump_reach(tau)) + 1
    bump = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / tau)
    rows = F.conv2d(counts[:, None], bump[None, None, :, None], padding=(reach, 0))
    blurred = F.conv2d(rows, bump[None, None, None, :], padding=(0, reach)).transpose(0, 1)
    background = fractal.features.background.detach().cpu().float()
    image: Tensor = composite(blurred, background[None])[0]
    return image
