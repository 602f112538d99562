"""Fractals from the files of other programs, brought into the form of ours.

Theirs differ in the number of transforms, and transforms have weights: free probabilities in the chaos game.
Ours have one number of transforms, and probabilities that follow from the matrices by a rule.
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.limits import MAX_REPEATED_TRANSFORMS, require_transforms
from fractalgan.ops import PROBABILITIES, Features, Fractals, ProbabilityRule, Transforms

log = logging.getLogger(__name__)

WEIGHT_TOLERANCE = 0.01  # within which weights agree with a rule; files have two digits of them at times
TIE = 1e-9  # of divergences in nats: the first of the rules is taken
NAMES_SHOWN = 3
MAX_NAME = 80  # characters


class ImportedFractal(NamedTuple):
    """One fractal of another program's file, in float64."""

    name: str
    transforms: Transforms  # A [1, N, 2, 2], b [1, N, 2]
    weights: Tensor | None  # [N] >= 0 with a positive sum; None where the file has none
    features: Features  # values [1, N, K], blend [1, N], background [1, K]
    copies: int = 1  # of each transform, among the N

    @property
    def num_transforms(self) -> int:
        """N."""
        return self.transforms.b.shape[1]

    def in_window(self, own: float, window: float) -> Self:
        """The fractal that looks in this window as this one does in its own."""
        if own == window:
            return self
        return self._replace(transforms=self.transforms._replace(b=self.transforms.b * (window / own)))


def with_equal_numbers(fractals: Sequence[ImportedFractal]) -> list[ImportedFractal]:
    """The same fractals with the same number of transforms, the least common multiple of theirs.

    All transforms of a fractal are repeated equally often. Their probabilities are then divided equally, by
    every rule, so that the same points are drawn.

    Raises:
        InputError: if the multiple is too large.
    """
    numbers = sorted({each.num_transforms for each in fractals})
    common = math.lcm(*numbers)
    if common > max(MAX_REPEATED_TRANSFORMS, numbers[-1]):
        extremes = {each.num_transforms: each.name for each in fractals}
        shown = ", ".join(f"{number} ({extremes[number]})" for number in numbers[-NAMES_SHOWN:])
        raise InputError(
            f"the fractals have different numbers of transforms, such as {shown}, and repeating them would"
            f" take {common} each: split the file by their numbers"
        )
    require_transforms(len(fractals), common)
    return [_repeated(each, common // each.num_transforms) for each in fractals]


def _repeated(fractal: ImportedFractal, times: int) -> ImportedFractal:
    if times == 1:
        return fractal
    (A, b), (values, blend, background) = fractal.transforms, fractal.features
    return fractal._replace(
        transforms=Transforms(A.repeat(1, times, 1, 1), b.repeat(1, times, 1)),
        weights=None if fractal.weights is None else fractal.weights.repeat(times),
        features=Features(values.repeat(1, times, 1), blend.repeat(1, times), background),
        copies=times,
    )


def stacked(fractals: Sequence[ImportedFractal]) -> Fractals:
    """All fractals in one, float32; they have the same number of transforms and of features.

    Raises:
        InputError: for a number that is too large for float32.
    """
    parts = [Fractals(each.transforms, each.features).tensors for each in fractals]
    found = Fractals.of_tensors(tuple(torch.cat(each).float() for each in zip(*parts, strict=True)))
    finite = torch.cat([each.isfinite().flatten(1) for each in found.transforms], 1).all(1)
    if not finite.all():
        raise InputError(f"{fractals[finite.tolist().index(False)].name} has numbers that are too large")
    return found


def nearest_rule(path: Path, A: Tensor, fractals: Sequence[ImportedFractal]) -> ProbabilityRule:
    """The rule whose probabilities are nearest to the weights of a file; a warning names those that differ.

    The distance is the Kullback-Leibler divergence from the weights to the rule's probabilities, which is
    infinite where a transform with a weight would never be drawn.

    Args:
        path: the file, for the warning.
        A: the matrices, [J, N, 2, 2].
        fractals: those J fractals, with their weights. Without any weights, the rule is "area", which leaves
            no transform out.
    """
    rows = [row for row, each in enumerate(fractals) if each.weights is not None]
    if not rows:
        return "area"
    given = torch.stack([each.weights for each in fractals if each.weights is not None]).double()
    given = given / given.sum(-1, keepdim=True)
    of_rules = {rule: function(A[rows].double()) for rule, function in PROBABILITIES.items()}
    divergences = {
        rule: (torch.xlogy(given, given) - torch.xlogy(given, each)).sum().item()
        for rule, each in of_rules.items()
    }
    least = min(divergences.values())
    rule = next(each for each, divergence in divergences.items() if divergence <= least + TIE * len(rows))
    copies = torch.tensor([fractals[row].copies for row in rows])
    different = (of_rules[rule] - given).abs().amax(-1) * copies > WEIGHT_TOLERANCE
    if different.any():
        names = [fractals[row].name for row, differs in zip(rows, different.tolist(), strict=True) if differs]
        log.warning(
            "%s: the weights of %s are replaced by probabilities from the matrices, by the nearest rule, %s",
            path,
            listed(names),
            rule,
        )
    return rule


def printable(name: str) -> str:
    """A name of another program's file for messages and titles: one line, without control characters."""
    return "".join(each if each.isprintable() else " " for each in name)[:MAX_NAME].strip()


def listed(names: Sequence[str]) -> str:
    """The first of some names, and the number of the others."""
    shown = list(dict.fromkeys(names))
    others = len(shown) - NAMES_SHOWN
    return ", ".join(shown[:NAMES_SHOWN]) + (f" and {others} more" if others > 0 else "")
