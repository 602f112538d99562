"""Points to image: the sum of Gaussian bumps of Eq. 8, as it is written and as a matrix product."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def to_pixels(points: Tensor, size: tuple[int, int], window: float) -> Tensor:
    """Scale points [..., 2] so that the window [-window, window]^2 spans the H x W pixel centres.

    The paper's footnote 1: -window falls on pixel 0 and +window on the last one, on both axes; the
    first coordinate runs along the rows.
    """
    last = torch.tensor(size, device=points.device, dtype=points.dtype) - 1
    return (points + window) * (last / (2 * window))


def bump_reach(tau: float) -> float:
    """Pixels from a point at which its bump falls below float32's last digit, 2^-23 of its peak."""
    return math.sqrt(tau * 23 * math.log(2))


def splat_dense(points: Tensor, size: tuple[int, int], tau: float) -> Tensor:
    """I[h, w] = sum_t exp(-||[h, w] - v(t)||^2 / tau) (Eq. 8), term by term: the reference.

    points [B, T, 2] in pixels -> images [B, H, W] >= 0; tau in pixels squared. Takes memory of
    B x T x H x W: use it to check others. Points that are not finite contribute nothing.
    """
    rows, columns = _finite(points).unsqueeze(-2).unsqueeze(-2).unbind(-1)  # [B, T, 1, 1]
    h, w = (_pixels(length, points) for length in size)
    return torch.exp(-((h.unsqueeze(-1) - rows) ** 2 + (w - columns) ** 2) / tau).sum(1)


def splat_separable(points: Tensor, size: tuple[int, int], tau: float) -> Tensor:
    """Eq. 8 as one matrix product an image: the Gaussian is a product of one bump on each axis.

    exp(-(dh^2 + dw^2) / tau) = exp(-dh^2 / tau) exp(-dw^2 / tau), so I = K_h K_w^T with K_h
    [H, T] and K_w [W, T]. Arguments and result as in :func:`splat_dense`.
    """
    images: Tensor = _SeparableSplat.apply(_finite(points), size, tau)
    return images


class _SeparableSplat(torch.autograd.Function):
    """Saves the bumps and their slopes, which autograd would rebuild op by op at three times the cost."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, size: tuple[int, int], tau: float) -> Tensor:
        bumps_h, slopes_h = _bumps(points[..., 0], size[0], tau)
        bumps_w, slopes_w = _bumps(points[..., 1], size[1], tau)
        ctx.save_for_backward(bumps_h, slopes_h, bumps_w, slopes_w)
        return bumps_h.transpose(-1, -2) @ bumps_w

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        bumps_h, slopes_h, bumps_w, slopes_w = ctx.saved_tensors
        rows = ((bumps_w @ grads[0].transpose(-1, -2)) * slopes_h).sum(-1)
        columns = ((bumps_h @ grads[0]) * slopes_w).sum(-1)
        return torch.stack([rows, columns], -1), None, None


def _bumps(coordinates: Tensor, length: int, tau: float) -> tuple[Tensor, Tensor]:
    """exp(-(i - x)^2 / tau) for coordinates x [B, T] and pixels i: [B, T, length], and d/dx of it.

    Distances are cut where a bump falls below the square root of the smallest normal number, so
    that the product of two is never subnormal: such numbers make a CPU some 25 times slower.
    """
    reach = math.sqrt(-math.log(torch.finfo(coordinates.dtype).tiny) / 2 * tau)
    distances = (_pixels(length, coordinates) - coordinates.unsqueeze(-1)).clamp_(-reach, reach)
    bumps = torch.exp(distances * distances * (-1 / tau))
    return bumps, distances.mul_(2 / tau).mul_(bumps)


def _pixels(length: int, like: Tensor) -> Tensor:
    return torch.arange(length, device=like.device, dtype=like.dtype)


def _finite(points: Tensor) -> Tensor:
    """Points that are not finite, moved (without gradient) to where they cannot be seen."""
    return torch.where(points.isfinite().all(-1, keepdim=True), points, -1e15)
