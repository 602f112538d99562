"""The invariant measure of a fractal: the share of its points that falls on each pixel of a view."""

from typing import NamedTuple

import torch
from torch import Tensor

from fractalgan.ops import _measure
from fractalgan.ops.fractals import Fractals
from fractalgan.ops.pieces import View, pieces_in_view


class Measure(NamedTuple):
    """The points of a fractal that were placed for a view."""

    sums: Tensor  # [1 + K, H, W] float32: the part of them at each pixel, and that times their features
    share: float  # of all points of the attractor, which they stand for


def measure(
    fractal: Fractals,  # A [N, 2, 2], b [N, 2], values [N, K], blend [N], background [K]
    probabilities: Tensor,  # [N]
    view: View,
    size: int,
    num_points: int,
    generator: torch.Generator,
) -> Measure:
    """Play the chaos game for what a view shows, however small it is, and count the points at each pixel.

    The attractor is divided into pieces (:func:`pieces_in_view`), and points of the chaos game are placed in
    each of those that the view meets; so most of them are drawn at any zoom. A point is shared among the four
    pixels around it. Computed on the CPU, in float64; the same generator gives the same bits for any number
    of threads. Nothing is differentiable.

    Args:
        fractal: one fractal, without the dimension J.
        probabilities: of its transforms; they need not sum to 1.
        view: the square that is drawn; its border runs through the centers of the outermost pixels.
        size: H = W, in pixels.
        num_points: number of points that are placed, those beside the view included.
        generator: source of the random numbers, on the CPU.

    Returns:
        The part of the placed points at each pixel, ``[1 + K, size, size]``, and the share of the attractor's
        points that they stand for, which is apart because float32 cannot hold that of a deep zoom.
    """
    fractal = fractal.map(lambda each: each.detach().cpu().double())
    probabilities = probabilities.detach().cpu().double()
    probabilities = probabilities / probabilities.sum()
    pieces = pieces_in_view(fractal, probabilities, view, generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    number = fractal.features.num_features
    if not len(pieces.share):
        return Measure(torch.zeros(1 + number, size, size), 0.0)
    scale = (size - 1) / (2 * view.half)
    frame = [part for middle in view.center for part in (scale, (view.half - middle) * scale)]
    sums, placed = _measure.count_points(fractal, probabilities, pieces, size, frame, num_points, seed)
    return Measure(sums / placed, float(pieces.share.sum()))
