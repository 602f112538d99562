"""Splatting: the sum of Gaussian bumps of Eq. 8, term by term and as a matrix product."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def to_pixels(points: Tensor, size: tuple[int, int], window: float) -> Tensor:
    """Convert points from the plane to pixel coordinates.

    As in the paper's footnote 1, -window maps to the center of the first pixel and +window to the center
    of the last one, along both axes. The first coordinate runs along the rows.

    Args:
        points: points ``[..., 2]`` in the plane.
        size: height and width of the image in pixels.
        window: half the side of the square [-window, window]^2 that is drawn.

    Returns:
        Points ``[..., 2]`` in pixels (row, column).
    """
    last = torch.tensor(size, device=points.device, dtype=points.dtype) - 1
    return (points + window) * (last / (2 * window))


def bump_reach(tau: float) -> float:
    """Distance in pixels at which a bump falls to 2^-23 of its peak, the precision of float32."""
    return math.sqrt(tau * 23 * math.log(2))


def splat_dense(points: Tensor, size: tuple[int, int], tau: float, features: Tensor | None = None) -> Tensor:
    """Sums I_k[h, w] = sum_t f_k(t) exp(-||[h, w] - v(t)||^2 / tau) (Eq. 8), computed term by term.

    This is the reference for the faster forms: it allocates B x T x H x W numbers. Points that are not
    finite contribute nothing.

    Args:
        points: points ``[B, T, 2]`` in pixels.
        size: height H and width W of the images in pixels.
        tau: width of the bumps in pixels squared.
        features: the K features of each point, ``[B, T, K]``.

    Returns:
        The sums of the bumps alone, ``[B, H, W]``, which are not clamped; or with features
        ``[B, 1 + K, H, W]``, where f_0 = 1.
    """
    rows, columns = _finite(points).unsqueeze(-2).unsqueeze(-2).unbind(-1)  # [B, T, 1, 1]
    h, w = (_pixels(length, points) for length in size)
    bumps = torch.exp(-((h.unsqueeze(-1) - rows) ** 2 + (w - columns) ** 2) / tau)
    return bumps.sum(1) if features is None else torch.einsum("btk,bthw->bkhw", _with_one(features), bumps)


def splat_separable(
    points: Tensor, size: tuple[int, int], tau: float, features: Tensor | None = None
) -> Tensor:
    """The sums of Eq. 8 by matrix products, as a Gaussian is a product of one per axis.

    exp(-(dh^2 + dw^2) / tau) = exp(-dh^2 / tau) exp(-dw^2 / tau), so I_k = K_h diag(f_k) K_w^T with K_h
    ``[H, T]`` and K_w ``[W, T]``. The arguments and the result are those of :func:`splat_dense`;
    differentiable once.
    """
    weights = None if features is None or not features.shape[-1] else _with_one(features)
    sums: Tensor = _SeparableSplat.apply(_finite(points), weights, size, tau)
    return sums.squeeze(1) if features is None else sums


class _SeparableSplat(torch.autograd.Function):
    """Saves the bumps and their slopes; autograd alone would recompute them at three times the cost."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, weights: Tensor | None, size: tuple[int, int], tau: float
    ) -> Tensor:
        bumps_h, slopes_h = _bumps(points[..., 0], size[0], tau)
        bumps_w, slopes_w = _bumps(points[..., 1], size[1], tau)
        ctx.save_for_backward(weights, bumps_h, slopes_h, bumps_w, slopes_w)
        if weights is None:
            return (bumps_h.mT @ bumps_w).unsqueeze(1)
        sums = [(bumps_h * weight.unsqueeze(-1)).mT @ bumps_w for weight in weights.unbind(-1)]
        return torch.stack(sums, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        weights, bumps_h, slopes_h, bumps_w, slopes_w = ctx.saved_tensors
        of_points: Tensor | float = 0.0
        of_weights = []
        for k, cotangent in enumerate(grads[0].unbind(1)):
            over_w, over_h = bumps_w @ cotangent.mT, bumps_h @ cotangent  # [B, T, H] and [B, T, W]
            slopes = torch.stack([(over_w * slopes_h).sum(-1), (over_h * slopes_w).sum(-1)], -1)
            if weights is None:
                return slopes, None, None, None
            of_points = of_points + weights[..., k : k + 1] * slopes
            of_weights.append((over_w * bumps_h).sum(-1))
        assert isinstance(of_points, Tensor)
        return of_points, torch.stack(of_weights, -1), None, None


def _bumps(coordinates: Tensor, length: int, tau: float) -> tuple[Tensor, Tensor]:
    """Bumps exp(-(i - x)^2 / tau) at the pixels i for coordinates x ``[B, T]``, and their slopes d/dx.

    Both are ``[B, T, length]``. Distances are clamped to where a bump falls below the square root of the
    smallest normal number, so that the product of two bumps is never subnormal: subnormal numbers make a
    CPU about 25 times slower.
    """
    reach = math.sqrt(-math.log(torch.finfo(coordinates.dtype).tiny) / 2 * tau)
    distances = (_pixels(length, coordinates) - coordinates.unsqueeze(-1)).clamp_(-reach, reach)
    bumps = torch.exp(distances * distances * (-1 / tau))
    return bumps, distances.mul_(2 / tau).mul_(bumps)


def _pixels(length: int, like: Tensor) -> Tensor:
    return torch.arange(length, device=like.device, dtype=like.dtype)


def _with_one(features: Tensor) -> Tensor:
    """What bumps are weighted by, [B, T, 1 + K]: 1, then the features [B, T, K] of their points."""
    return F.pad(features, (1, 0), value=1.0)


def _finite(points: Tensor) -> Tensor:
    """The points, with those that are not finite moved out of sight, where they get no gradient."""
    return torch.where(points.isfinite().all(-1, keepdim=True), points, -1e15)
