"""Gradient descent on a collage: copies that cover a picture, adjusted until they cover it better."""

import math

import torch
from torch import Tensor
from torch.optim import Adam

from fractalgan.ops.affine import Transforms
from fractalgan.ops.collage import blur, contractions, place_copies, reduce, union

SIZE = 64  # pixels per side
STEPS = 60
LR = 0.01
WIDEST, NARROWEST = 1.5, 0.5  # blur, in pixels
LARGEST = 0.95  # contraction that the objective still tells apart from 1


def collage_bound(pictures: Tensor, transforms: Transforms) -> Tensor:
    """Barnsley's bound on how far attractors are from pictures, given the collages of their transforms.

    Args:
        pictures: ``[P, H, H]``; larger ones than SIZE are reduced to it.
        transforms: A ``[P, N, 2, 2]`` and b ``[P, N, 2]`` in the plane [-1, 1]^2.

    Returns:
        The mean squared error of the union of the copies, divided by 1 - s, where s is the largest
        contraction of the transforms, ``[P]``.
    """
    pictures = reduce(pictures, SIZE)
    error = (union(place_copies(pictures, transforms)) - pictures).square().mean((1, 2))
    bound: Tensor = error / (1 - contractions(transforms.A).amax(1).clamp_max(LARGEST))
    return bound


def descend_collage(pictures: Tensor, transforms: Transforms) -> Transforms:
    """Adjust transforms so that their copies of a picture cover it, and no more.

    The objective is :func:`collage_bound`, for which one copy as large as the picture is no solution, though
    it would cover all of it. Pictures are blurred, less and less.

    Args:
        pictures: ``[P, H, H]``; each is adjusted independently of the others.
        transforms: A ``[P, N, 2, 2]`` and b ``[P, N, 2]`` in the plane [-1, 1]^2.

    Returns:
        The adjusted transforms.
    """
    pictures = reduce(pictures, SIZE)
    A, b = (each.detach().clone().requires_grad_() for each in transforms)
    optimizer = Adam([A, b], lr=LR)
    with torch.enable_grad():
        for step in range(STEPS):
            progress = step / STEPS
            blurred = blur(pictures, WIDEST * (NARROWEST / WIDEST) ** progress)
            objective = collage_bound(blurred, Transforms(A, b)).sum()
            for group in optimizer.param_groups:
                group["lr"] = LR * (1 + math.cos(math.pi * progress)) / 2
            A.grad, b.grad = torch.autograd.grad(objective, [A, b])
            optimizer.step()
    return Transforms(A.detach(), b.detach())
