"""A greedy search for collages: copies of a picture that cover it, found by template matching.

The copies that a grid of matrices makes are moved over a small version of the picture, to all places at once
by the fast Fourier transform. The one that covers most of what is not covered yet, and spills least beyond
the picture, is refined on a larger version, and becomes a transform; so on for the next one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from fractalgan.ops.affine import Transforms, rotation
from fractalgan.ops.collage import contractions, place_copies, reduce

ANGLES, SCALES, SQUEEZE = 24, 9, 0.5  # of the grid of matrices
SMALLEST, LARGEST = 0.12, 0.88  # scales of the grid
COARSE, FINE = 32, 64  # pixels per side where matrices are compared, and where they are refined
MIN_COARSE = 8
MIN_AREA = 1.5  # pixels of a copy, at the coarse size
CHUNK = 64  # matrices that are compared at a time
REFINED = 48  # matches of which one becomes a transform
NEARBY = 12  # variations of each, per round
ROUNDS = 3


class Greed(NamedTuple):
    """What a search prefers.

    Attributes:
        largest: scale of a copy, at most LARGEST. An attractor is nearer to a collage of small copies.
        spill: pixels that must be covered in return for one pixel of spill.
    """

    largest: float = 0.75
    spill: float = 1.0


def search_collages(
    picture: Tensor, num_transforms: int, generator: torch.Generator, greeds: Sequence[Greed] = (Greed(),)
) -> Transforms:
    """Find transforms whose copies of a picture cover it, one after another.

    Args:
        picture: ``[H, H]`` in [0, 1].
        num_transforms: N.
        generator: source of the random variations, on the CPU.
        greeds: what each of K searches prefers; different preferences find different collages.

    Returns:
        A ``[K, N, 2, 2]`` and b ``[K, N, 2]`` in the plane [-1, 1]^2, see :func:`place_copies`.
    """
    coarse = max(MIN_COARSE, min(COARSE, len(picture) // 2))
    templates = _Templates.of(_shrink(picture, coarse))
    picture = _shrink(picture, FINE)
    found = [_search(templates, picture, num_transforms, generator, greed) for greed in greeds]
    return Transforms(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _search(
    templates: "_Templates", picture: Tensor, num_transforms: int, generator: torch.Generator, greed: Greed
) -> Transforms:
    uncovered, bounds, found = picture, templates.first_bounds(greed), []
    for _ in range(num_transforms):
        small = _shrink(uncovered, len(templates.picture))
        match = _refine(templates.best(small, greed, bounds), picture, uncovered, greed, generator)
        uncovered = (uncovered - place_copies(picture[None], match)[0, 0]).clamp_min(0)
        found.append(match)
    return Transforms(*(torch.cat(parts, 1) for parts in zip(*found, strict=True)))


def collage_matrices() -> Tensor:
    """The grid of matrices ``[M, 2, 2]``: rotations, scales, reflections, and copies half as wide or high."""
    angles = torch.arange(ANGLES) * (2 * math.pi / ANGLES)
    scales = torch.logspace(math.log10(SMALLEST), math.log10(LARGEST), SCALES)
    shapes = torch.tensor([[1.0, 1.0], [1.0, SQUEEZE], [SQUEEZE, 1.0]])
    flips = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    diagonals = torch.diag_embed(shapes[:, None] * flips).flatten(0, 1)
    matrices = scales[:, None, None, None, None] * (rotation(angles)[:, None] @ diagonals)
    return matrices.flatten(0, 2)


def _shrink(picture: Tensor, size: int) -> Tensor:
    """A picture [H, H] as [size, size], half by means and half by maxima, which keeps thin lines."""
    if len(picture) <= size:
        return picture
    brightest = adaptive_max_pool2d(picture[None], size)[0]
    return (reduce(picture[None], size)[0] + brightest) / 2


class _Templates(NamedTuple):
    """Copies of a small picture, with the center of its mass at the origin."""

    picture: Tensor  # [S, S]
    center: Tensor  # [2] of the picture's mass
    A: Tensor  # [M, 2, 2]
    area: Tensor  # [M] sums of the copies' pixels
    spectra: Tensor  # [M, 2 S, S + 1] of the copies, conjugated

    @classmethod
    def of(cls, picture: Tensor) -> "_Templates":
        size = len(picture)
        axis = torch.linspace(-1, 1, size, device=picture.device)
        mass = picture.sum()
        center = torch.stack([(picture.sum(1) * axis).sum(), (picture.sum(0) * axis).sum()]) / mass
        A = collage_matrices().to(picture.device)
        copies = place_copies(picture[None], Transforms(A[None], -(A @ center)[None]))[0]
        area = copies.sum((1, 2))
        enough = area >= min(MIN_AREA, float(area.amax()))
        spectra = torch.fft.rfft2(copies[enough], s=(2 * size, 2 * size)).conj()
        return cls(picture, center, A[enough], area[enough], spectra)

    def first_bounds(self, greed: Greed) -> Tensor:
        """Upper bounds [M] on the scores of the templates, before any is known."""
        allowed = contractions(self.A) <= greed.largest + 1e-4
        if not allowed.any():  # small copies of a speck vanish
            allowed = ~allowed
        return torch.where(allowed, math.inf, -math.inf)

    def best(self, uncovered: Tensor, greed: Greed, bounds: Tensor) -> Transforms:
        """The matches with the highest scores, A [1, k, 2, 2] and b [1, k, 2], each with another matrix.

        The score is the sum of the uncovered pixels that a copy covers, less ``spill`` times that of the
        pixels outside of the picture, for copies and pictures of 0 and 1. The more is covered, the lower it
        is: a template is not compared again while its earlier score is too low (Minoux, 1978).

        Args:
            uncovered: [S, S] what is left of the picture.
            greed: what the search prefers.
            bounds: [M] scores of an earlier call, which are updated.
        """
        padded = 2 * len(self.picture)
        spectrum = torch.fft.rfft2(uncovered + greed.spill * self.picture, s=(padded, padded))
        places = torch.zeros(len(bounds), dtype=torch.long, device=bounds.device)
        compared = torch.full_like(bounds, -math.inf)
        for chunk in torch.split(bounds.argsort(descending=True, stable=True), CHUNK):
            if compared.topk(min(REFINED, len(bounds))).values[-1] >= bounds[chunk[0]]:
                break
            covered = torch.fft.irfft2(spectrum * self.spectra[chunk], s=(padded, padded)).flatten(1)
            highest, places[chunk] = covered.max(1)
            compared[chunk] = highest - greed.spill * self.area[chunk]
        bounds.copy_(torch.where(compared.isfinite(), compared, bounds))
        chosen = compared.topk(min(REFINED, int(compared.isfinite().sum()))).indices
        A, place = self.A[chosen], places[chosen]
        shift = torch.stack([place // padded, place % padded], -1)
        shift = torch.where(shift >= len(self.picture), shift - padded, shift)
        b = shift * (2 / (len(self.picture) - 1)) - A @ self.center
        return Transforms(A[None], b[None])


def _refine(
    match: Transforms, picture: Tensor, uncovered: Tensor, greed: Greed, generator: torch.Generator
) -> Transforms:
    """The best of several matches [1, k] and of random variations of them, as a match [1, 1]."""
    step, kept = 1.0, match.b.shape[1]
    for number in range(ROUNDS + 1):
        if number:
            match = _vary(match, step, greed.largest, generator)
            step *= 0.6
        copies = place_copies(picture[None], match)[0]
        covered = torch.minimum(copies, uncovered).sum((1, 2))
        score = covered - greed.spill * (copies - picture).clamp_min(0).sum((1, 2))
        kept = max(1, kept // 4) if number < ROUNDS else 1
        best = score.topk(min(kept, len(score))).indices
        match = Transforms(match.A[:, best], match.b[:, best])
    return match


def _vary(match: Transforms, step: float, largest: float, generator: torch.Generator) -> Transforms:
    """Each match followed by random variations of it."""
    A, b = (each.repeat_interleave(NEARBY, 1) for each in match)
    noise = step * torch.randn(*b.shape[:2], 6, generator=generator).to(b.device)
    noise[:, ::NEARBY] = 0
    A = A + 0.06 * noise[..., :4].view_as(A)
    shrink = (largest / contractions(A).clamp_min(1e-6)).clamp_max(1)[..., None, None]
    return Transforms(A * shrink, b + noise[..., 4:] / COARSE)
