"""Collages: pictures covered by small copies of themselves, one per transform.

If copies of a picture, each placed by a transform, cover the picture up to an error, then the attractor of
the transforms differs from the picture by no more than that error / (1 - s), where s < 1 is the largest
factor by which a transform scales distances (Barnsley's collage theorem, 1986; here applied to gray levels).
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample, interpolate, pad

from fractalgan.ops.affine import Transforms

MIN_DETERMINANT = 1e-8  # of a matrix that is inverted: a thinner copy falls between the pixels


def place_copies(pictures: Tensor, transforms: Transforms, size: int | None = None) -> Tensor:
    """Copies of pictures as the transforms place them, differentiable in the transforms.

    Copy n is C_n(v) = picture(A_n^-1 (v - b_n)), with bilinear interpolation, and 0 outside the picture. The
    plane is [-1, 1]^2, from the center of the first pixel to that of the last one, see :func:`to_pixels`.

    Args:
        pictures: ``[P, H, H]``.
        transforms: A ``[P, N, 2, 2]`` and b ``[P, N, 2]``.
        size: the height and width of the copies. Default: H.

    Returns:
        Copies ``[P, N, size, size]``.
    """
    A, b = transforms
    size = pictures.shape[-1] if size is None else size
    number, copies = b.shape[:2]
    inverse = _inverse(A)
    offset = -(inverse @ b.unsqueeze(-1))
    backwards = torch.cat([inverse.flip(-1), offset], -1).flip(-2)  # torch counts columns first
    grid = affine_grid(backwards.flatten(0, 1), [number * copies, 1, size, size], align_corners=True)
    grid = grid.view(number, copies * size, size, 2)
    placed = grid_sample(pictures.unsqueeze(1), grid, align_corners=True)
    return placed.view(number, copies, size, size)


def union(copies: Tensor) -> Tensor:
    """What copies ``[..., N, H, W]`` in [0, 1] cover together, 1 - prod_n (1 - C_n): ``[..., H, W]``."""
    return 1 - (1 - copies).prod(-3)


def blur(pictures: Tensor, std: float) -> Tensor:
    """Pictures ``[P, H, W]`` blurred by a Gaussian of this standard deviation, in pixels; 0 outside."""
    radius = math.ceil(3 * std)
    distance = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-(distance**2) / (2 * std**2))
    kernel = kernel / kernel.sum()
    blurred = pad(pictures.unsqueeze(1), (radius,) * 4)
    blurred = conv2d(conv2d(blurred, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return blurred.squeeze(1)


def reduce(pictures: Tensor, size: int) -> Tensor:
    """Pictures ``[P, H, H]`` as ``[P, size, size]``, by means over areas; they are returned if not larger."""
    if pictures.shape[-1] <= size:
        return pictures
    return interpolate(pictures.unsqueeze(1), size=(size, size), mode="area").squeeze(1)


def contractions(A: Tensor) -> Tensor:
    """The largest singular values ``[...]`` of matrices ``[..., 2, 2]``, in closed form."""
    (a, b), (c, d) = A[..., 0, :].unbind(-1), A[..., 1, :].unbind(-1)
    first, second = (a + d) ** 2 + (c - b) ** 2, (a - d) ** 2 + (b + c) ** 2
    tiny = torch.finfo(A.dtype).tiny  # keeps the gradient of a similarity finite, whose second term is 0
    return ((first + tiny).sqrt() + (second + tiny).sqrt()) / 2


def _inverse(A: Tensor) -> Tensor:
    (a, b), (c, d) = A[..., 0, :].unbind(-1), A[..., 1, :].unbind(-1)
    determinant = a * d - b * c
    magnitude = determinant.abs().clamp_min(MIN_DETERMINANT)
    determinant = torch.where(determinant < 0, -magnitude, magnitude)
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / determinant[..., None, None]
