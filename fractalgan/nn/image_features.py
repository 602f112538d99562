"""What images tell of the features of fractals that are to draw them: backgrounds, shapes and colors."""

import torch
from torch import Tensor

from fractalgan.ops import (
    Features,
    Transforms,
    iterate_points,
    sequences_from_uniform,
    start_points,
    to_pixels,
    uniform_probabilities,
)

FULL = 0.25  # difference from the background from which on a pixel belongs to the shape
FAINT = 1e-3  # weight of a pixel of the background, for images that are nothing else
POINTS_PER_TRANSFORM = 50  # that tell where it draws
UNSEEN = 1e-2  # weight of the mean color of all, for transforms that draw nothing of the shape


def backgrounds(images: Tensor) -> Tensor:
    """The median color [n, C] of the outlines, one pixel wide, of images [n, C, H, W]."""
    return outline(images).median(-1).values


def outline(images: Tensor) -> Tensor:
    """The pixels [..., P] at the edges of images [..., H, W]."""
    edges = images[..., 0, :], images[..., -1, :], images[..., 1:-1, 0], images[..., 1:-1, -1]
    return torch.cat(edges, -1)


def shapes(images: Tensor, background: Tensor) -> Tensor:
    """How much images [n, C, H, W] differ from a background [n, C], as masks [n, 1, H, W] in [0, 1]."""
    difference = (images - background[..., None, None]).abs().amax(1, keepdim=True)
    return (difference / FULL).clamp_max(1)


def covered_shapes(images: Tensor, num_features: int) -> Tensor:
    """What the points of fractals are to cover of images [n, C, H, W], as masks [n, 1, H, W] in [0, 1].

    It is what is bright, or what stands out from the background if fractals have features.
    """
    return shapes(images, backgrounds(images)) if num_features else images


def features_at(transforms: Transforms, images: Tensor, window: float, uniform: Tensor) -> Features:
    """The mean color of an image where each transform draws, for k fractals per image.

    Pixels count by how much they belong to the shape that stands out from the background. A transform that
    draws none of it gets the mean color of all.

    Args:
        transforms: A [n * k, N, 2, 2] and b [n * k, N, 2], the k fractals of each image in turn.
        images: [n, C, H, W].
        window: half the side of the square of the plane that images show.
        uniform: random numbers in [0, 1), one for each point, [n * k, T].

    Returns:
        Values [n * k, N, C], blend 0, and the background [n * k, C] of each image, on its device.
    """
    A, b = (each.detach().to(images.device) for each in transforms)
    transforms, num_transforms = Transforms(A, b), b.shape[1]
    background = backgrounds(images)
    weights = shapes(images, background) + FAINT
    rows = torch.arange(len(b), device=images.device)
    of_image = rows.div(len(b) // max(1, len(images)), rounding_mode="floor")
    sequences = sequences_from_uniform(uniform_probabilities(A), rows, uniform.to(images.device))
    points = iterate_points(transforms, rows, sequences, start_points(transforms, rows))
    last = torch.tensor(images.shape[2:], device=images.device) - 1
    pixels = to_pixels(points, (images.shape[2], images.shape[3]), window).nan_to_num(-1, -1, -1).round()
    visible = ((pixels >= 0) & (pixels <= last)).all(-1)
    h, w = pixels.long().clamp_min(0).minimum(last).unbind(-1)
    place = of_image.unsqueeze(1)
    weight = weights[place, 0, h, w] * visible  # [n * k, T]
    colors = images[place, :, h, w] * weight.unsqueeze(-1)
    of_all = (images * weights).sum((2, 3)) / weights.sum((2, 3))  # [n, C]
    sums = UNSEEN * of_all[of_image].unsqueeze(1).repeat(1, num_transforms, 1)
    sums.scatter_add_(1, sequences.unsqueeze(-1).expand_as(colors), colors)
    totals = torch.full_like(sums[..., 0], UNSEEN).scatter_add_(1, sequences, weight)
    values = sums / totals.unsqueeze(-1)
    return Features(values, values.new_zeros(values.shape[:2]), background[of_image])
