"""The chaos game: draw index sequences, and iterate points along them (Eq. 3)."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fractalgan.ops import _fused
from fractalgan.ops.affine import Transforms


def draw_sequences(
    probabilities: Tensor,  # [J, N]
    fractals: Tensor,  # [B] which fractal each image shows
    num_points: int,
    generator: torch.Generator | None = None,
) -> Tensor:  # [B, T]
    """Index sequences z with z(t) ~ p of the image's fractal, drawn before the iteration (Alg. 2)."""
    uniform = torch.rand(
        len(fractals), num_points, generator=generator, device=probabilities.device, dtype=probabilities.dtype
    )
    return look_up_sequences(probabilities, fractals, uniform)


def look_up_sequences(
    probabilities: Tensor,  # [J, N]
    fractals: Tensor,  # [B]
    uniform: Tensor,  # [B, T] in [0, 1)
) -> Tensor:  # [B, T]
    """The index sequences that uniform numbers stand for, by the inverse of p's distribution function.

    Where a fused backend does the looking up, the result is the same to the bit.
    """
    cumulative = probabilities.cumsum(-1)[fractals.long()]
    # p sums to 1 only up to rounding, so scale by the last entry rather than trust it
    uniform = cumulative[:, -1:] * uniform
    inner = cumulative[:, :-1].contiguous()
    if cumulative.dtype == torch.float32 and _fused.best(cumulative.device.type) == "numba":
        indices: Tensor = _fused.look_up(inner, uniform)
        return indices
    return torch.searchsorted(inner, uniform, right=True)


def iterate_points(
    transforms: Transforms,  # A [J, N, 2, 2], b [J, N, 2]
    fractals: Tensor,  # [B] in 0..J-1
    sequences: Tensor,  # [B, T] in 0..N-1
    start: Tensor,  # [B, 2] v(0), a constant
) -> Tensor:  # [B, T, 2]
    """v(t) = A_{z(t)} v(t-1) + b_{z(t)}, t = 1..T (Eq. 3), differentiable in A and b.

    J fractals share one batch as in the paper: their maps stand side by side in a table of J * N
    columns, and a fractal's indices are offset into it (the FE layer, Eq. 7). Points of a system
    that diverges become infinite or NaN; they pass no gradient on.
    """
    num_transforms = transforms.b.shape[1]
    columns = (sequences + num_transforms * fractals.unsqueeze(-1)).T  # [T, B]
    A = transforms.A.flatten(0, 1)[columns]  # [T, B, 2, 2]
    b = transforms.b.flatten(0, 1)[columns]  # [T, B, 2]
    points: Tensor = _Recurrence.apply(A, b, start)
    return points.transpose(0, 1)


class _Recurrence(torch.autograd.Function):
    """v(t) = A(t) v(t-1) + b(t), and the same walk backwards: one small product a step each way."""

    @staticmethod
    def forward(ctx: Any, A: Tensor, b: Tensor, start: Tensor) -> Tensor:
        points = torch.cat([start.unsqueeze(0), torch.empty_like(b)])  # [1 + T, B, 2]
        v = points.unsqueeze(-1).unbind()
        for t, (A_t, b_t) in enumerate(zip(A.unbind(), b.unsqueeze(-1).unbind(), strict=True)):
            torch.baddbmm(b_t, A_t, v[t], out=v[t + 1])
        ctx.save_for_backward(A, points)
        return points[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        A, points = ctx.saved_tensors
        finite = points.isfinite().all(-1, keepdim=True)
        # adjoint(t) = dL/dv(t) + A(t+1)^T adjoint(t+1)
        adjoint = torch.where(finite[1:], grads[0], 0.0).contiguous()
        a = adjoint.unsqueeze(-1).unbind()
        A_transposed = torch.where(A.isfinite(), A, 0.0).transpose(-1, -2).unbind()
        for t in range(len(a) - 1, 0, -1):
            a[t - 1].baddbmm_(A_transposed[t], a[t])
        previous = torch.where(finite[:-1], points[:-1], 0.0)
        return adjoint.unsqueeze(-1) * previous.unsqueeze(-2), adjoint, None
