"""Random fractals by the procedures of Anderson & Farrell, of FractalDB, and of the paper's released code."""

import math
from typing import Literal

import torch
from torch import Tensor

from fractalgan.ops.affine import Factors, Transforms, compose, determinant_probabilities, offsets_about
from fractalgan.ops.chaos import iterate_points
from fractalgan.ops.render import start_points
from fractalgan.ops.sequences import draw_sequences

# The procedures by their names on the command line; see random_fractals.
Procedure = Literal["anderson-farrell", "fractaldb", "even"]

ATTEMPT_SIZE = 256  # FractalDB's candidates that are tested at a time
MIN_ATTEMPTS = 16  # before the acceptance rate of fractaldb is judged
MAX_COORDINATE = 1e4  # an attractor that extends beyond it counts as diverging


def random_fractals(
    procedure: Procedure, num_fractals: int, num_transforms: int, generator: torch.Generator | None = None
) -> Transforms:
    """Sample fractals by a procedure that is given by name.

    Args:
        procedure: ``"anderson-farrell"`` (:func:`anderson_farrell`), ``"fractaldb"`` (:func:`fractaldb`), or
            ``"even"`` (:func:`equal_size`).
        num_fractals: the number J of fractals.
        num_transforms: the number N of transforms per fractal.
        generator: the random number generator to use. Default: PyTorch's global one.

    Returns:
        A ``[J, N, 2, 2]`` and b ``[J, N, 2]``, float32 on the CPU.

    Raises:
        ValueError: if ``procedure`` is ``"fractaldb"`` and fails; see :func:`fractaldb`.
    """
    draw = {"anderson-farrell": anderson_farrell, "fractaldb": fractaldb, "even": equal_size}[procedure]
    return draw(num_fractals, num_transforms, generator)


def anderson_farrell(
    num_fractals: int, num_transforms: int, generator: torch.Generator | None = None
) -> Transforms:
    """Sample fractals of contractive transforms, as Anderson & Farrell do.

    The source is "Improving Fractal Pre-training", WACV 2022. The singular values of a fractal satisfy
    sum_n (s1_n + 2 s2_n) = alpha with alpha ~ U((5 + N) / 2, (6 + N) / 2), and 1 >= s1_n >= s2_n >= 0.
    They are sampled one by one, uniformly between the bounds within which the others can still reach that
    sum. Angles are uniform, signs are random, and b ~ U(-1, 1)^2.

    Args:
        num_fractals: the number J of fractals.
        num_transforms: the number N of transforms per fractal.
        generator: the random number generator to use. Default: PyTorch's global one.

    Returns:
        A ``[J, N, 2, 2]`` and b ``[J, N, 2]``, float32 on the CPU.

    Example::

        >>> anderson_farrell(num_fractals=100, num_transforms=10)
        Transforms(num_fractals=100, num_transforms=10, dtype=torch.float32, device='cpu')
    """
    shape = (num_fractals, num_transforms)
    angles = 2 * math.pi * torch.rand(*shape, 2, generator=generator)
    flip = torch.randint(0, 2, (*shape, 2), generator=generator) * 2.0 - 1
    b = 2 * torch.rand(*shape, 2, generator=generator) - 1
    sigma = _singular_values(num_fractals, num_transforms, generator)
    return Transforms(compose(Factors(angles[..., 0], angles[..., 1], sigma, flip)), b)


def equal_size(
    num_fractals: int, num_transforms: int, generator: torch.Generator | None = None
) -> Transforms:
    """Sample fractals of transforms of nearly equal size, as the paper's released code initializes them.

    All singular values are sigmoid(u) with u ~ U(0, 1), which is between 0.5 and 0.73. Angles are uniform,
    there are no flips, and b ~ U(-1, 1)^2. Arguments and result are those of :func:`anderson_farrell`.
    """
    shape = (num_fractals, num_transforms)
    angles = 2 * math.pi * torch.rand(*shape, 2, generator=generator)
    sigma = torch.rand(*shape, 2, generator=generator).sigmoid()
    b = 2 * torch.rand(*shape, 2, generator=generator) - 1
    factors = Factors(angles[..., 0], angles[..., 1], sigma, torch.ones_like(sigma))
    return Transforms(compose(factors), b)


def _singular_values(num_fractals: int, num_transforms: int, generator: torch.Generator | None) -> Tensor:
    """Pairs (s1, s2) of singular values, ``[J, N, 2]``; see :func:`anderson_farrell`."""
    # for N = 1 the procedure's alpha may exceed 3, the largest value that a single pair can reach
    alpha = ((5 + num_transforms) / 2 + torch.rand(num_fractals, generator=generator) / 2).clamp_max(
        3 * num_transforms
    )
    pairs = []
    for n in range(num_transforms):
        later = 3 * (num_transforms - n - 1)  # the largest value that the pairs after this one can reach
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
    """Sample fractals as FractalDB does.

    The source is Kataoka et al., "Pre-training without Natural Images", ACCV 2020. All entries of A and b
    are sampled from U(-1, 1). A fractal is accepted if 2,000 points of its
    attractor, scaled to a canvas of 32 x 32 cells, visit more than a share ``filling_rate`` of the cells.

    Args:
        num_fractals: the number J of fractals.
        num_transforms: the number N of transforms per fractal.
        generator: the random number generator to use. Default: PyTorch's global one.
        filling_rate: the share of cells that an accepted fractal exceeds, in [0, 1).

    Returns:
        A ``[J, N, 2, 2]`` and b ``[J, N, 2]``, float32 on the CPU.

    Raises:
        ValueError: if fewer than one in 256 fractals has been accepted after 4,096 or more.
    """
    accepted: list[Transforms] = []
    while (total := sum(len(each.b) for each in accepted)) < num_fractals:
        if len(accepted) >= MIN_ATTEMPTS and total < len(accepted):
            raise ValueError(
                f"random fractals of {num_transforms} transforms hardly ever fill {filling_rate:.0%}"
                " of the canvas: use more transforms or a lower filling rate"
            )
        entries = 2 * torch.rand(ATTEMPT_SIZE, num_transforms, 6, generator=generator) - 1
        drawn = Transforms(entries[..., :4].reshape(ATTEMPT_SIZE, num_transforms, 2, 2), entries[..., 4:])
        filled = filling_rates(drawn, generator) > filling_rate
        accepted.append(Transforms(drawn.A[filled], drawn.b[filled]))
    A, b = (torch.cat(parts)[:num_fractals] for parts in zip(*accepted, strict=True))
    return Transforms(A, b)


def fill_window(
    transforms: Transforms,
    window: float,
    generator: torch.Generator | None = None,
    *,
    num_points: int = 2000,
) -> Transforms:
    """Translate and scale fractals, along each axis, so that their attractors span the window.

    The substitution v = D w + c turns the transform v' = A v + b into
    w' = (D^-1 A D) w + D^-1 (A c + b - c).

    Args:
        transforms: A ``[J, N, 2, 2]`` and b ``[J, N, 2]`` on the CPU.
        window: half the side of the square [-window, window]^2.
        generator: the random number generator to use. Default: PyTorch's global one.
        num_points: the number of points from which the extent of an attractor is estimated.

    Returns:
        The transforms of the same attractors in their new position and size.
    """
    fractals = torch.arange(len(transforms.b))
    sequences = draw_sequences(determinant_probabilities(transforms.A), fractals, num_points, generator)
    return move_to_window(transforms, points_of_chains(transforms, sequences.unsqueeze(1)), window)


def move_to_window(transforms: Transforms, points: Tensor, window: float) -> Transforms:
    """Scale and move fractals along each axis so that these points of them just fill the window.

    Args:
        transforms: A ``[J, N, 2, 2]`` and b ``[J, N, 2]``.
        points: points of each attractor, ``[J, T, 2]``.
        window: half the side of the square [-window, window]^2.

    Returns:
        The transforms of the same attractors in their new position and size.
    """
    low, high = points.amin(1), points.amax(1)
    D = ((high - low) / (2 * window)).unsqueeze(1)  # [J, 1, 2] the diagonal
    c = ((high + low) / 2).unsqueeze(1)
    offsets = offsets_about(transforms, c)
    return Transforms(transforms.A * D.unsqueeze(-2) / D.unsqueeze(-1), offsets / D)


def filling_rates(
    transforms: Transforms,
    generator: torch.Generator | None = None,
    *,
    num_points: int = 2000,
    cells: int = 32,
) -> Tensor:
    """The share of a canvas of cells x cells that each attractor visits, ``[J]``; 0 if it diverges.

    Args:
        transforms: A ``[J, N, 2, 2]`` and b ``[J, N, 2]`` on the CPU.
        generator: the random number generator to use. Default: PyTorch's global one.
        num_points: the number of points of each attractor.
        cells: the number of cells along each axis.
    """
    fractals = torch.arange(len(transforms.b))
    sequences = draw_sequences(determinant_probabilities(transforms.A), fractals, num_points, generator)
    return visited_cells(transforms, sequences, cells=cells).flatten(1).mean(-1)


def points_of_chains(transforms: Transforms, chains: Tensor) -> Tensor:
    """The points of each fractal along chains ``[J, C, T]``, one chain after the other: ``[J, C T, 2]``."""
    fractals = torch.arange(len(transforms.b))
    rows, start = fractals.repeat_interleave(chains.shape[1]), start_points(transforms, fractals, chains)
    points = iterate_points(transforms, rows, chains.flatten(0, 1), start.flatten(0, 1))
    return points.reshape(len(fractals), -1, 2)


def visited_cells(
    transforms: Transforms,  # A [J, N, 2, 2], b [J, N, 2]
    sequences: Tensor,  # [J, T] or [J, C, T]
    *,
    cells: int,
) -> Tensor:  # [J, cells, cells]
    """The cells that each attractor visits when it is scaled to the canvas; none if it diverges.

    Args:
        transforms: A ``[J, N, 2, 2]`` and b ``[J, N, 2]`` on the CPU.
        sequences: one index sequence per fractal, integers ``[J, T]`` in 0..N-1, or C chains of it,
            ``[J, C, T]``, which take as long as one of them.
        cells: the number of cells along each axis.

    Returns:
        1 for cells that are visited and 0 for others, float32 ``[J, cells, cells]``.
    """
    points = points_of_chains(transforms, sequences if sequences.ndim == 3 else sequences.unsqueeze(1))
    low, high = points.amin(1, keepdim=True), points.amax(1, keepdim=True)
    unit = (points - low) / (high - low)
    bounded = unit.isfinite().flatten(1).all(-1) & (points.abs() < MAX_COORDINATE).flatten(1).all(-1)
    cell = (unit.nan_to_num(0, 0, 0) * cells).long().clamp(0, cells - 1)
    visited = torch.zeros(len(points), cells * cells)
    visited.scatter_(1, cell[..., 0] * cells + cell[..., 1], 1.0)
    return torch.where(bounded[:, None], visited, 0.0).view(-1, cells, cells)
