"""The chaos game: iterating points along index sequences (Eq. 3)."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fractalgan.ops.affine import Transforms


def iterate_points(
    transforms: Transforms,  # A [J, N, 2, 2], b [J, N, 2]
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, T]
    start: Tensor,  # [B, 2]
) -> Tensor:  # [B, T, 2]
    """Points v(t) = A_{z(t)} v(t-1) + b_{z(t)} for t = 1..T (Eq. 3), differentiable once in A and b.

    As in the paper, J fractals share one batch: their transforms form a table of J * N columns, and the
    indices of a fractal are offset into it (the fractal embedding layer, Eq. 7). The points of a fractal
    that diverges become infinite or NaN; such points pass no gradient.

    Args:
        transforms: A ``[J, N, 2, 2]`` and b ``[J, N, 2]``.
        fractals: the fractal of each image, integers ``[B]`` in 0..J-1.
        sequences: index sequences, integers ``[B, T]`` in 0..N-1.
        start: v(0), ``[B, 2]``, treated as a constant; see :func:`start_points`.

    Returns:
        Points ``[B, T, 2]`` in the plane.
    """
    num_transforms = transforms.b.shape[1]
    columns = (sequences + num_transforms * fractals.unsqueeze(-1)).T  # [T, B]
    A = transforms.A.flatten(0, 1)[columns]  # [T, B, 2, 2]
    b = transforms.b.flatten(0, 1)[columns]  # [T, B, 2]
    points: Tensor = _Recurrence.apply(A, b, start)
    return points.transpose(0, 1)


class _Recurrence(torch.autograd.Function):
    """The recurrence v(t) = A(t) v(t-1) + b(t) and its adjoint, with one batched product per step each."""

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
