"""From the sums that points leave at each pixel to an image, and its gradient."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def composite(sums: Tensor, background: Tensor) -> Tensor:
    """Images of the sums of bumps, and of bumps times features.

    With W the sum of the bumps at a pixel (Eq. 8), F the sum of bumps times features, and alpha = min(W, 1),
    the pixel is alpha F / W + (1 - alpha) background. Without features, it is alpha. Differentiable once.

    Args:
        sums: W and the K sums F of each image, ``[B, 1 + K, H, W]``, not negative.
        background: ``[B, K]``.

    Returns:
        Images ``[B, K, H, W]``, or ``[B, 1, H, W]`` for K = 0; in [0, 1] if features and background are.
    """
    images: Tensor = sums.clamp_max(1) if sums.shape[1] == 1 else _Composite.apply(sums, background)
    return images


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, background: Tensor) -> Tensor:
        images, weights = composite_forward(sums, background)
        ctx.save_for_backward(images, weights, background)
        return images

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        return composite_backward(grads[0], *ctx.saved_tensors)


def composite_forward(sums: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
    """The images of :func:`composite`, and the sums of bumps W [B, H, W], which are empty for K = 0."""
    if sums.shape[1] == 1:
        return sums.clamp_max(1), sums.new_empty(0, *sums.shape[2:])
    weights = sums[:, :1].contiguous()
    means = sums[:, 1:] / weights.clamp_min(1)  # times alpha; an empty pixel divides by 1
    return means.addcmul((1 - weights).clamp_min(0), background[..., None, None]), weights.squeeze(1)


def composite_backward(
    cotangent: Tensor,  # [B, K, H, W], or [B, 1, H, W] for K = 0
    images: Tensor,  # the same
    weights: Tensor,  # [B, H, W], empty for K = 0
    background: Tensor,  # [B, K]
) -> tuple[Tensor, Tensor]:
    """The gradients of the sums [B, 1 + K, H, W] and of the background."""
    if not background.shape[1]:
        return cotangent.masked_fill(images >= 1, 0), background
    weights = weights.unsqueeze(1)
    divisor = weights.clamp_min(1)
    covered = torch.where(weights < 1, background[..., None, None], images / divisor)
    of_weights = -(cotangent * covered).sum(1, keepdim=True)
    of_background = (cotangent * (1 - weights).clamp_min(0)).sum((2, 3))
    return torch.cat([of_weights, cotangent / divisor], 1), of_background
