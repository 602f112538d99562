"""Random fractals: the procedures of Anderson & Farrell, of FractalDB, and of maps that are alike in size."""

import math
from typing import Literal

import torch
from torch import Tensor

from fractalgan.ops.affine import Factors, Transforms, compose, determinant_probabilities
from fractalgan.ops.chaos import draw_sequences, iterate_points
from fractalgan.ops.render import start_points

# The procedures by the names of the command line; see random_systems.
Procedure = Literal["anderson-farrell", "fractaldb", "even"]


def random_systems(
    procedure: Procedure, num_fractals: int, num_transforms: int, generator: torch.Generator | None = None
) -> Transforms:
    """Random systems A [J, N, 2, 2] and b [J, N, 2] by the named procedure, which may raise ValueError."""
    draw = {"anderson-farrell": anderson_farrell, "fractaldb": fractaldb, "even": even}[procedure]
    return draw(num_fractals, num_transforms, generator)


def anderson_farrell(
    num_fractals: int, num_transforms: int, generator: torch.Generator | None = None
) -> Transforms:
    """Random contractive systems (Anderson & Farrell, WACV 2022), in float32.

    Singular values with sum_n (s1_n + 2 s2_n) = alpha, alpha ~ U((5 + N) / 2, (6 + N) / 2), pair by
    pair inside the bounds that keep the rest feasible; uniform angles, random signs, b ~ U(-1, 1)^2.
    """
    shape = (num_fractals, num_transforms)
    angles = 2 * math.pi * torch.rand(*shape, 2, generator=generator)
    flip = torch.randint(0, 2, (*shape, 2), generator=generator) * 2.0 - 1
    b = 2 * torch.rand(*shape, 2, generator=generator) - 1
    sigma = _singular_values(num_fractals, num_transforms, generator)
    return Transforms(compose(Factors(angles[..., 0], angles[..., 1], sigma, flip)), b)


def even(num_fractals: int, num_transforms: int, generator: torch.Generator | None = None) -> Transforms:
    """Random systems of maps that are alike in size, as the paper's released code begins with, in float32.

    All singular values are sigmoid(u), u ~ U(0, 1), so 0.5 to 0.73; uniform angles, no flips, and
    b ~ U(-1, 1)^2.
    """
    shape = (num_fractals, num_transforms)
    angles = 2 * math.pi * torch.rand(*shape, 2, generator=generator)
    sigma = torch.rand(*shape, 2, generator=generator).sigmoid()
    b = 2 * torch.rand(*shape, 2, generator=generator) - 1
    factors = Factors(angles[..., 0], angles[..., 1], sigma, torch.ones_like(sigma))
    return Transforms(compose(factors), b)


def _singular_values(num_fractals: int, num_transforms: int, generator: torch.Generator | None) -> Tensor:
    """Pairs 1 >= s1 >= s2 >= 0 [J, N, 2] whose weighted sum s1 + 2 s2 is alpha (see above)."""
    # for N = 1 the procedure's alpha may exceed 3, all that one pair can hold
    alpha = ((5 + num_transforms) / 2 + torch.rand(num_fractals, generator=generator) / 2).clamp_max(
        3 * num_transforms
    )
    pairs = []
    for n in range(num_transforms):
        later = 3 * (num_transforms - n - 1)  # the most that the pairs after this one can hold
        s1 = _uniform(((alpha - later) / 3).clamp_min(0), alpha.clamp_max(1), generator)
        alpha = alpha - s1
        s2 = _uniform(((alpha - later) / 2).clamp_min(0), torch.minimum(s1, alpha / 2), generator)
        alpha = (alpha - 2 * s2).clamp_min(0)
        pairs.append(torch.stack([s1, s2], -1))
    return torch.stack(pairs, 1)


def _uniform(low: Tensor, high: Tensor, generator: torch.Generator | None) -> Tensor:
    return low + (high - low).clamp_min(0) * torch.rand(low.shape, generator=generator)


def fractaldb(
    num_fractals: int,
    num_transforms: int,
    generator: torch.Generator | None = None,
    *,
    filling_rate: float = 0.2,
) -> Transforms:
    """Random systems as in FractalDB (Kataoka et al., ACCV 2020): all entries of A and b ~ U(-1, 1).

    A system is kept only where its attractor, scaled to fill a canvas of 32 x 32 cells, visits more
    than ``filling_rate`` of them in 2,000 points. Raises ValueError where systems of that many
    transforms hardly ever do: one in 256, after some thousands of trials.
    """
    kept: list[Transforms] = []
    while (found := sum(len(each.b) for each in kept)) < num_fractals:
        if len(kept) >= 16 and found < len(kept):
            raise ValueError(
                f"random systems of {num_transforms} transforms hardly ever fill {filling_rate:.0%}"
                " of the canvas: take more transforms, or a lower filling rate"
            )
        entries = 2 * torch.rand(256, num_transforms, 6, generator=generator) - 1
        drawn = Transforms(entries[..., :4].reshape(256, num_transforms, 2, 2), entries[..., 4:])
        full = filling_rates(drawn, generator) > filling_rate
        kept.append(Transforms(drawn.A[full], drawn.b[full]))
    A, b = (torch.cat(parts)[:num_fractals] for parts in zip(*kept, strict=True))
    return Transforms(A, b)


def fill_window(
    transforms: Transforms,
    window: float,
    generator: torch.Generator | None = None,
    *,
    num_points: int = 2000,
) -> Transforms:
    """The same systems moved and scaled, along each axis, so that their attractors span the window.

    What an attractor spans is judged by ``num_points`` points. With v = D w + c the map v' = A v + b becomes
    w' = (D^-1 A D) w + D^-1 (A c + b - c).
    """
    fractals = torch.arange(len(transforms.b))
    sequences = draw_sequences(determinant_probabilities(transforms.A), fractals, num_points, generator)
    points = iterate_points(transforms, fractals, sequences, start_points(transforms, fractals))
    low, high = points.amin(1), points.amax(1)
    D = ((high - low) / (2 * window)).unsqueeze(1)  # [J, 1, 2] the diagonal
    c = ((high + low) / 2).unsqueeze(1)
    moved = (transforms.A @ c.unsqueeze(-1)).squeeze(-1) + transforms.b - c
    return Transforms(transforms.A * D.unsqueeze(-2) / D.unsqueeze(-1), moved / D)


def filling_rates(
    transforms: Transforms,
    generator: torch.Generator | None = None,
    *,
    num_points: int = 2000,
    cells: int = 32,
) -> Tensor:
    """The share [J] of a canvas of cells x cells that each attractor visits; 0 where it diverges."""
    fractals = torch.arange(len(transforms.b))
    sequences = draw_sequences(determinant_probabilities(transforms.A), fractals, num_points, generator)
    return visited_cells(transforms, sequences, cells=cells).flatten(1).mean(-1)


def visited_cells(
    transforms: Transforms,  # A [J, N, 2, 2], b [J, N, 2]
    sequences: Tensor,  # [J, T]
    *,
    cells: int,
) -> Tensor:  # [J, cells, cells] 0 or 1
    """The cells that each attractor visits, scaled to fill the canvas; none where it diverges."""
    fractals = torch.arange(len(transforms.b))
    points = iterate_points(transforms, fractals, sequences, start_points(transforms, fractals))
    low, high = points.amin(1, keepdim=True), points.amax(1, keepdim=True)
    unit = (points - low) / (high - low)
    settled = unit.isfinite().flatten(1).all(-1) & (points.abs() < 1e4).flatten(1).all(-1)
    cell = (unit.nan_to_num(0, 0, 0) * cells).long().clamp(0, cells - 1)
    visited = torch.zeros(len(fractals), cells * cells)
    visited.scatter_(1, cell[..., 0] * cells + cell[..., 1], 1.0)
    return torch.where(settled[:, None], visited, 0.0).view(-1, cells, cells)
