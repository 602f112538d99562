"""The invariant measure of a fractal: the share of its points that falls on each pixel of a view."""

import torch
from torch import Tensor

from fractalgan.ops import _measure
from fractalgan.ops.fractals import Fractals
from fractalgan.ops.pieces import View, pieces_in_view


def measure(
    fractal: Fractals,  # A [N, 2, 2], b [N, 2], values [N, K], blend [N], background [K]
    probabilities: Tensor,  # [N]
    view: View,
    size: int,
    num_points: int,
    generator: torch.Generator,
) -> Tensor:  # [1 + K, size, size]
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
        The share of the attractor's points at each pixel, whose sum is 1 where all of them are in view, and
        the shares times features, ``[1 + K, size, size]``.
    """
    fractal = fractal.map(lambda each: each.detach().cpu().double())
    probabilities = probabilities.detach().cpu().double()
    probabilities = probabilities / probabilities.sum()
    pieces = pieces_in_view(fractal, probabilities, view, generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    number = fractal.features.num_features
    if not len(pieces.share):
        return torch.zeros(1 + number, size, size, dtype=torch.float64)
    scale = (size - 1) / (2 * view.half)
    frame = [part for middle in view.center for part in (scale, (view.half - middle) * scale)]
    sums, placed = _measure.count_points(fractal, probabilities, pieces, size, frame, num_points, seed)
    return sums.double() * (float(pieces.share.sum()) / placed)
