"""Where to zoom into a fractal, if nobody says where."""

import torch
from torch import Tensor

from fractalgan.ops import Fractals, Pieces, View, fixed_point, measure
from fractalgan.randomness import Purpose, generator_for

MAP_SIZE, MAP_POINTS = 64, 40_000  # pixels and points of a small picture that shows where a fractal is
MOST_LIKELY = 30  # transforms whose fixed points, and those of their products, can be zoomed into
FINALISTS, TRIAL_ZOOM = 8, 50.0
INSIDE = 0.9  # of the window: points nearer to its border are not zoomed into


def zoom_center(fractal: Fractals, probabilities: Tensor, window: float) -> tuple[float, float]:
    """A point of the attractor that is worth zooming into: one of those around which most pixels have points.

    It is a fixed point of a transform or of a product of two, so that the fractal is similar to itself there
    at all scales.
    """
    likely = probabilities.argsort(descending=True)[:MOST_LIKELY]
    chosen = fractal.with_transforms(likely).map(lambda each: each.detach().cpu().double())
    shares = probabilities[likely].detach().cpu().double()
    single = Pieces.whole(chosen).divided(chosen, shares)
    products = single.divided(chosen, shares)
    points = torch.cat([fixed_point(each.A, each.b) for each in (single, products)])
    inside = (points.abs() <= INSIDE * window).all(1)
    if not inside.any():
        return 0.0, 0.0
    points = points[inside]
    pixels = ((points / window + 1) / 2 * (MAP_SIZE - 1)).round().long()
    density = _map(fractal, probabilities, View((0.0, 0.0), window))[pixels[:, 0], pixels[:, 1]]
    finalists = [tuple(point) for point in points[density.argsort(descending=True)[:FINALISTS]].tolist()]
    return max(finalists, key=lambda point: _filled(fractal, probabilities, View(point, window / TRIAL_ZOOM)))


def _map(fractal: Fractals, probabilities: Tensor, view: View) -> Tensor:
    source = generator_for(0, Purpose.PICTURES)
    return measure(fractal, probabilities, view, MAP_SIZE, MAP_POINTS, source).sums[0]


def _filled(fractal: Fractals, probabilities: Tensor, view: View) -> int:
    """The number of pixels of a small picture that have points."""
    return int((_map(fractal, probabilities, view) > 0).sum())
