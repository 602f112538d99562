"""Affine transforms: the rotation-scaling-flip form, sampling probabilities, fixed points.

A fractal is an iterated function system of N transforms v' = A v + b on column vectors. The equations are
numbered as in Tu et al., "Learning Fractals by Gradient Descent", AAAI 2023 ("the paper").
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor


class Transforms(NamedTuple):
    """The transforms v' = A v + b of J fractals with N transforms each."""

    A: Tensor  # [J, N, 2, 2]
    b: Tensor  # [J, N, 2]

    def __repr__(self) -> str:
        if not isinstance(self.b, Tensor) or self.b.ndim != 3:
            return tuple.__repr__(self)
        num_fractals, num_transforms, _ = self.b.shape
        return (
            f"Transforms(num_fractals={num_fractals}, num_transforms={num_transforms},"
            f" dtype={self.b.dtype}, device='{self.b.device}')"
        )


LEAST_SHARE = 0.1  # of 1 / N, for a transform of small determinant

ProbabilityRule = Literal["determinant", "area", "uniform"]


class Factors(NamedTuple):
    """The factors of A = R(theta) diag(sigma) R(phi) diag(flip), the paper's reparameterization."""

    theta: Tensor  # [...] radians
    phi: Tensor  # [...] radians
    sigma: Tensor  # [..., 2] singular values, >= 0
    flip: Tensor  # [..., 2] -1 or 1


def rotation(angle: Tensor) -> Tensor:
    """Counter-clockwise rotation matrices ``[..., 2, 2]`` for angles ``[...]`` in radians."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def compose(factors: Factors) -> Tensor:
    """The matrices A = R(theta) diag(sigma) R(phi) diag(flip), ``[..., 2, 2]``."""
    theta, phi, sigma, flip = factors
    # scaling the columns of R(theta) by sigma and those of R(phi) by flip avoids building both diagonals
    return (rotation(theta) * sigma.unsqueeze(-2)) @ (rotation(phi) * flip.unsqueeze(-2))


def factorize(A: Tensor) -> Factors:
    """Factors of the matrices A ``[..., 2, 2]``, by singular value decomposition; inverts :func:`compose`.

    ``compose(factorize(A))`` equals A, but the factors are not unique. The ones returned have their
    singular values sorted in descending order and ``flip[..., 0] == 1``; the other two of the four sign
    patterns differ from these by a rotation by pi.
    """
    U, sigma, Vh = torch.linalg.svd(A)
    # diag(1, det U) commutes with diag(sigma), so a reflection in U can be moved into V
    mirror = torch.linalg.det(U).sign().unsqueeze(-1)
    theta = torch.atan2(U[..., 1, 0], U[..., 0, 0])
    right = torch.cat([Vh[..., :1, :], Vh[..., 1:, :] * mirror.unsqueeze(-1)], -2)
    flip = torch.stack([torch.ones_like(theta), torch.linalg.det(right).sign()], -1)
    phi = torch.atan2(right[..., 1, 0], right[..., 0, 0])
    return Factors(theta, phi, sigma, flip)


def determinant_probabilities(A: Tensor) -> Tensor:
    """Probabilities p_n proportional to abs(det A_n), without gradient (Anderson & Farrell, WACV 2022).

    Transforms that are not finite get probability 0. If all determinants of a fractal are 0 or not finite,
    its probabilities are uniform, so that they can always be sampled from.

    Args:
        A: matrices ``[..., N, 2, 2]``.

    Returns:
        Probabilities ``[..., N]`` that sum to 1.
    """
    A = A.detach()
    determinants = (A[..., 0, 0] * A[..., 1, 1] - A[..., 0, 1] * A[..., 1, 0]).abs()
    determinants = determinants.nan_to_num(nan=0.0, posinf=0.0)
    total = determinants.sum(-1, keepdim=True)
    uniform = torch.full_like(determinants, 1 / determinants.shape[-1])
    return torch.where(total > 0, determinants / total.clamp_min(torch.finfo(A.dtype).tiny), uniform)


def area_probabilities(A: Tensor) -> Tensor:
    """:func:`determinant_probabilities`, but none below LEAST_SHARE / N, without gradient.

    Points then cover an attractor about evenly, and a transform that draws a line, whose determinant is 0, is
    not left out.

    Args:
        A: matrices ``[..., N, 2, 2]``.

    Returns:
        Probabilities ``[..., N]`` that sum to 1.
    """
    raised = determinant_probabilities(A).clamp_min(LEAST_SHARE / A.shape[-3])
    return raised / raised.sum(-1, keepdim=True)


def uniform_probabilities(A: Tensor) -> Tensor:
    """Probabilities p_n = 1 / N, ``[..., N]``, for matrices A ``[..., N, 2, 2]``, without gradient.

    The density of points then depends on the transforms alone: those that contract more draw denser parts.
    """
    return torch.full_like(A[..., 0, 0].detach(), 1 / A.shape[-3])


# How the probabilities of transforms follow from their matrices, by names on the command line.
PROBABILITIES: dict[ProbabilityRule, Callable[[Tensor], Tensor]] = {
    "determinant": determinant_probabilities,
    "area": area_probabilities,
    "uniform": uniform_probabilities,
}


def fixed_point(A: Tensor, b: Tensor) -> Tensor:
    """The points v ``[..., 2]`` with A v + b = v, for A ``[..., 2, 2]`` and b ``[..., 2]``, in closed form.

    The result is the origin where there is no such point (I - A is singular) or it is not finite.
    """
    a11, a12 = 1 - A[..., 0, 0], -A[..., 0, 1]
    a21, a22 = -A[..., 1, 0], 1 - A[..., 1, 1]
    determinant = a11 * a22 - a12 * a21
    v = torch.stack([a22 * b[..., 0] - a12 * b[..., 1], a11 * b[..., 1] - a21 * b[..., 0]], -1)
    v = v / determinant.unsqueeze(-1)
    return torch.where(v.isfinite().all(-1, keepdim=True), v, torch.zeros_like(v))


def offsets_about(transforms: Transforms, center: Tensor) -> Tensor:
    """The offsets A c + b - c ``[..., N, 2]`` of the same transforms if the origin is moved to c.

    Args:
        transforms: A ``[..., N, 2, 2]`` and b ``[..., N, 2]``.
        center: c, which can be broadcast to b.
    """
    return (transforms.A @ center.unsqueeze(-1)).squeeze(-1) + transforms.b - center
