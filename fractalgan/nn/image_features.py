"""What images tell of the features of fractals that are to draw them: backgrounds, shapes and colors."""

import torch
from torch import Tensor

from fractalgan.ops import (
    Features,
    Transforms,
    draw_sequences,
    iterate_points,
    start_points,
    to_pixels,
    uniform_probabilities,
)

FULL = 0.25  # difference from the background from which on a pixel belongs to the shape
POINTS_PER_TRANSFORM = 50


def backgrounds(images: Tensor) -> Tensor:
    """The median color [n, C] of the outlines, one pixel wide, of images [n, C, H, W]."""
    edges = images[..., 0, :], images[..., -1, :], images[..., 1:-1, 0], images[..., 1:-1, -1]
    return torch.cat(edges, -1).median(-1).values


def shapes(images: Tensor, background: Tensor) -> Tensor:
    """How much images [n, C, H, W] differ from a background [n, C], as masks [n, 1, H, W] in [0, 1]."""
    difference = (images - background[..., None, None]).abs().amax(1, keepdim=True)
    return (difference / FULL).clamp_max(1)


def features_at(
    transforms: Transforms, images: Tensor, window: float, random: torch.Generator | None = None
) -> Features:
    """The mean color of an image where each transform draws, for k fractals per image.

    Pixels count by how much they belong to the shape that stands out from the background. A transform that
    draws none of it gets the mean color of all.

    Args:
        transforms: A [n * k, N, 2, 2] and b [n * k, N, 2], the k fractals of each image in turn.
        images: [n, C, H, W].
        window: half the side of the square of the plane that images show.
        random: source of the random numbers.

    Returns:
        Values [n * k, N, C], blend 0, and the background [n * k, C] of each image.
    """
    (number, num_transforms, _), device = transforms.b.shape, images.device
    background = backgrounds(images)
    weights = shapes(images, background) + 1e-3
    rows = torch.arange(number, device=device)
    of_image = rows.div(number // len(images), rounding_mode="floor")
    length = POINTS_PER_TRANSFORM * num_transforms
    sequences = draw_sequences(uniform_probabilities(transforms.A), rows, length, random)
    points = iterate_points(transforms, rows, sequences, start_points(transforms, rows))
    size = (images.shape[2], images.shape[3])
    pixels = to_pixels(points, size, window).nan_to_num(-1, -1, -1).round()
    visible = ((pixels >= 0) & (pixels < torch.tensor(size, device=device))).all(-1)
    h, w = pixels.long().clamp_min(0).minimum(torch.tensor(size, device=device) - 1).unbind(-1)
    place = of_image.unsqueeze(1)
    weight = weights[place, 0, h, w] * visible  # [n * k, length]
    colors = images[place, :, h, w] * weight.unsqueeze(-1)
    of_all = (images * weights).sum((2, 3)) / weights.sum((2, 3))  # [n, C]
    sums = 1e-2 * of_all[of_image].unsqueeze(1).repeat(1, num_transforms, 1)
    sums.scatter_add_(1, sequences.unsqueeze(-1).expand_as(colors), colors)
    totals = torch.full_like(sums[..., 0], 1e-2).scatter_add_(1, sequences, weight)
    values = sums / totals.unsqueeze(-1)
    return Features(values, values.new_zeros(number, num_transforms), background[of_image])
