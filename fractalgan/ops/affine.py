"""Affine maps: the rotation-scaling-flip form, determinant probabilities, fixed points.

A fractal is an iterated function system of N transforms v' = A v + b on column vectors.
The paper: Tu et al., "Learning Fractals by Gradient Descent", AAAI 2023.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Transforms(NamedTuple):
    """The maps v' = A v + b of J fractals with N transforms each."""

    A: Tensor  # [J, N, 2, 2]
    b: Tensor  # [J, N, 2]


class Factors(NamedTuple):
    """A = R(theta) diag(sigma) R(phi) diag(flip): the paper's reparameterisation."""

    theta: Tensor  # [...] radians
    phi: Tensor  # [...] radians
    sigma: Tensor  # [..., 2] singular values, >= 0
    flip: Tensor  # [..., 2] -1 or 1


def rotation(angle: Tensor) -> Tensor:
    """Rotation matrices [..., 2, 2] for angles [...] in radians, counter-clockwise."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def compose(factors: Factors) -> Tensor:
    """The matrices A [..., 2, 2] = R(theta) diag(sigma) R(phi) diag(flip)."""
    theta, phi, sigma, flip = factors
    # scaling the columns of R(theta) by sigma, and those of R(phi) by flip, spares the two diag()
    return (rotation(theta) * sigma.unsqueeze(-2)) @ (rotation(phi) * flip.unsqueeze(-2))


def factorize(A: Tensor) -> Factors:
    """The inverse of :func:`compose`, for A [..., 2, 2], through the singular value decomposition.

    sigma comes sorted, largest first, and flip[..., 0] is always 1: four sign patterns are two
    up to a rotation by pi. ``compose(factorize(A))`` is A; the factors themselves are not unique.
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
    """p_n proportional to abs(det A_n) (Anderson & Farrell 2022), for A [..., N, 2, 2] -> [..., N].

    No gradient flows through p. Maps that are not finite get nothing; where no determinant is
    left that is above 0 all maps are equally likely, so the result can always be sampled from.
    """
    A = A.detach()
    determinants = (A[..., 0, 0] * A[..., 1, 1] - A[..., 0, 1] * A[..., 1, 0]).abs()
    determinants = determinants.nan_to_num(nan=0.0, posinf=0.0)
    total = determinants.sum(-1, keepdim=True)
    uniform = torch.full_like(determinants, 1 / determinants.shape[-1])
    return torch.where(total > 0, determinants / total.clamp_min(torch.finfo(A.dtype).tiny), uniform)


def uniform_probabilities(A: Tensor) -> Tensor:
    """p_n = 1 / N, for A [..., N, 2, 2] -> [..., N]: how dense a part is drawn is then left to the maps."""
    return torch.full_like(A[..., 0, 0].detach(), 1 / A.shape[-3])


def fixed_point(A: Tensor, b: Tensor) -> Tensor:
    """The v [..., 2] with A v + b = v, for A [..., 2, 2] and b [..., 2], in closed form.

    A map without one (I - A singular), or with one that is not finite, gets the origin.
    """
    a11, a12 = 1 - A[..., 0, 0], -A[..., 0, 1]
    a21, a22 = -A[..., 1, 0], 1 - A[..., 1, 1]
    determinant = a11 * a22 - a12 * a21
    v = torch.stack([a22 * b[..., 0] - a12 * b[..., 1], a11 * b[..., 1] - a21 * b[..., 0]], -1)
    v = v / determinant.unsqueeze(-1)
    return torch.where(v.isfinite().all(-1, keepdim=True), v, torch.zeros_like(v))
