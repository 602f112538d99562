"""The parts of an attractor that a view shows: what makes a deep zoom as quick as the whole picture."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from fractalgan.ops.bounding_box import Box, bounding_box, largest_singular_value, sample_points
from fractalgan.ops.fractals import Fractals

MIN_PIECES, MAX_PIECES = 256, 8192
MAX_CHILDREN = 2**20  # of all pieces of one level
MAX_LEVELS = 500  # of as many pieces as there may be, and of transforms that do not contract
MAX_LEVELS_OF_FEW = 20_000  # a contraction of 0.999 divides a spiral so often for a zoom of 1e9
ENOUGH = 0.3  # of the points of all pieces that have to be in view
MOST_WASTE = 0.9  # of the points that are not in view, whose pieces are divided in one round
MIN_SAMPLE, SAMPLE = 8, 2**16  # points per piece, and of all pieces, that show how many are in view


class View(NamedTuple):
    """A square of the plane."""

    center: tuple[float, float]
    half: float  # of its side


class Pieces(NamedTuple):
    """M copies of an attractor, each placed by the product of the transforms of its address.

    A point with features f is drawn at A v + b with the features ``kept`` f + ``added``.
    """

    A: Tensor  # [M, 2, 2]
    b: Tensor  # [M, 2]
    kept: Tensor  # [M]
    added: Tensor  # [M, K]
    share: Tensor  # [M], of the points of the attractor, as by the probabilities of the transforms

    @classmethod
    def whole(cls, fractal: Fractals) -> Self:
        """The attractor itself."""
        b = fractal.transforms.b
        identity = torch.eye(2).to(b)[None]
        return cls(
            identity,
            b.new_zeros(1, 2),
            b.new_ones(1),
            b.new_zeros(1, fractal.features.num_features),
            b.new_ones(1),
        )

    def select(self, rows: Tensor) -> Self:
        """Pieces by their indices, or by a mask."""
        return type(self)(*(each[rows] for each in self))

    def divided(self, fractal: Fractals, probabilities: Tensor) -> Self:
        """The N parts of each piece, one per transform [M N]."""
        (A, b), (values, blend, _) = fractal
        return type(self)(
            (self.A[:, None] @ A).flatten(0, 1),
            (self.b[:, None] + (self.A[:, None] @ b[..., None])[..., 0]).flatten(0, 1),
            (self.kept[:, None] * blend).flatten(),
            (self.added[:, None] + (self.kept[:, None] * (1 - blend))[..., None] * values).flatten(0, 1),
            (self.share[:, None] * probabilities).flatten(),
        )

    def with_equal_shares(self, number: int, generator: torch.Generator) -> Self:
        """This number of pieces, each drawn as often as its share says, by systematic sampling."""
        bounds = self.share.cumsum(0)
        offset = torch.rand(1, generator=generator, dtype=bounds.dtype)
        positions = (torch.arange(number, dtype=bounds.dtype) + offset) / number * bounds[-1]
        rows = torch.searchsorted(bounds, positions, right=True).clamp_max(len(bounds) - 1)
        return self.select(rows)._replace(share=(bounds[-1] / number).expand(number))


def pieces_in_view(
    fractal: Fractals,  # A [N, 2, 2], b [N, 2], values [N, K], blend [N]
    probabilities: Tensor,  # [N]
    view: View,
    generator: torch.Generator,
) -> Pieces:
    """The pieces of an attractor that a view may show, of whose points it shows a good part.

    Pieces are divided into those of the N transforms, and dropped where they do not meet the view, as by the
    box around the attractor, those with most points out of view first, until ENOUGH points are in view. Where
    pieces are too many, some stand for all, so that the expected number of points at every pixel stays the
    same.

    Args:
        fractal: one fractal, without the dimension J, in float64.
        probabilities: of its transforms, which sum to 1.
        view: what is drawn.
        generator: source of the random numbers, on the CPU.

    Returns:
        Pieces with equal shares; none if the view shows nothing of the attractor.
    """
    box = bounding_box(fractal.transforms, probabilities, generator)
    points = sample_points(fractal.transforms, probabilities, generator)
    most = max(MIN_PIECES, min(MAX_PIECES, MAX_CHILDREN // len(probabilities)))
    pieces = Pieces.whole(fractal)
    contracts = bool(largest_singular_value(fractal.transforms.A).max() < 1)
    placed = 0
    for _ in range(MAX_LEVELS_OF_FEW if contracts else MAX_LEVELS):
        pieces = pieces.select(_meets(pieces, box, view))
        if len(pieces.share) > most:
            pieces = pieces.with_equal_shares(most, generator)
        placed += len(pieces.share)
        wasted = pieces.share * (1 - _part_in_view(pieces, points, view))
        if wasted.sum() <= (1 - ENOUGH) * pieces.share.sum() or placed >= MAX_LEVELS * most:
            break
        divided = _largest(wasted, MOST_WASTE)
        children = pieces.select(divided).divided(fractal, probabilities)
        pieces = Pieces(*map(torch.cat, zip(pieces.select(~divided), children, strict=True)))
    return pieces.with_equal_shares(most, generator) if len(pieces.share) > 1 else pieces


def _part_in_view(pieces: Pieces, points: Tensor, view: View) -> Tensor:
    """The parts [M] of the points of each piece that are in view, estimated from points [P, 2]."""
    few = points[: max(MIN_SAMPLE, SAMPLE // max(1, len(pieces.share)))]
    placed = few @ pieces.A.mT + pieces.b[:, None]  # [M, P, 2]
    inside = ((placed - torch.tensor(view.center, dtype=placed.dtype)).abs() <= view.half).all(2)
    return inside.double().mean(1)


def _largest(numbers: Tensor, part: float) -> Tensor:
    """A mask of the largest of numbers >= 0 that together make up this part of their sum."""
    ordered, order = numbers.sort(descending=True)
    before = ordered.cumsum(0) - ordered
    return torch.zeros_like(numbers, dtype=torch.bool).scatter(0, order, before < part * ordered.sum())


def _extent(pieces: Pieces, box: Box, view: View) -> tuple[Tensor, Tensor]:
    """The distance of each piece's box from the center of the view, and half its sides, [M, 2] each."""
    center = (pieces.A @ box.center[:, None])[..., 0] + pieces.b
    distance = (center - torch.tensor(view.center, dtype=center.dtype)).abs()
    return distance, (pieces.A.abs() @ box.half[:, None])[..., 0]


def _meets(pieces: Pieces, box: Box, view: View) -> Tensor:
    distance, half = _extent(pieces, box, view)
    return (distance <= half + view.half).all(1)
