"""How well fractals reconstruct their targets."""

import logging
from typing import NamedTuple

import torch
from torch import Tensor

from fractalgan.nn.generator import FractalGenerator
from fractalgan.ops import Transforms, iterate_points, sequences_from_uniform, start_points
from fractalgan.randomness import Purpose, generator_for

log = logging.getLogger(__name__)

FINE_IOU = 0.8  # below it, a reconstruction misses detail that a person sees
FINE_SIZE = 64  # pixels per side: smaller images have little detail

EXPLOSION_RADIUS = 1e4  # units of the plane: a point that far out does not come back
EXPLOSION_SEQUENCES = 5  # per fractal, that are checked for such points


class TargetScores(NamedTuple):
    """How well n fractals reconstruct their targets, each [n] float.

    The peak signal-to-noise ratio and the intersection over union are those of the image with the lowest MSE,
    the latter of the pixels above 0.5; it is NaN in color.
    """

    mse_min: Tensor
    mse_mean: Tensor
    mse_max: Tensor
    psnr: Tensor  # in dB
    iou: Tensor
    exploded: Tensor  # 1 where the points run away, else 0


def score_images(
    images: Tensor,  # [n, count, C, H, W]
    targets: Tensor,  # [n, C, H, W]
    exploded: Tensor,  # [n] bool
) -> TargetScores:
    """Scores of ``count`` images per fractal (Section 4 has 100)."""
    mse = (images - targets.unsqueeze(1)).square().mean((2, 3, 4))
    lowest, best = mse.min(1)
    psnr = -10 * lowest.clamp_min(torch.finfo(mse.dtype).tiny).log10()
    nearest = images[torch.arange(len(images), device=images.device), best]
    colored = targets.shape[1] == 3
    iou = torch.full_like(lowest, torch.nan) if colored else intersection_over_union(nearest, targets)
    return TargetScores(lowest, mse.mean(1), mse.amax(1), psnr, iou, exploded.float())


def intersection_over_union(images: Tensor, targets: Tensor, level: float = 0.5) -> Tensor:
    """Pixels above a level in both images [n, ...], as a share of those in either; 1 if there are none."""
    first, second = (images > level).flatten(1), (targets > level).flatten(1)
    either = (first | second).sum(1)
    return torch.where(either > 0, (first & second).sum(1) / either.clamp_min(1), 1.0)


def explodes(generator: FractalGenerator, transforms: Transforms) -> Tensor:
    """Whether points of each fractal run away, [n] bool, for transforms A [n, N, 2, 2] and b [n, N, 2].

    All fractals use the same random numbers.
    """
    number, device = len(transforms.b), transforms.b.device
    fractals = torch.arange(number, device=device).repeat_interleave(EXPLOSION_SEQUENCES)
    random = generator_for(Purpose.RECONSTRUCTION_EVALUATION)
    uniform = torch.rand(EXPLOSION_SEQUENCES, generator.num_points, generator=random)
    uniform = uniform.repeat(number, 1).to(device)
    probabilities = generator.transform_probabilities(transforms.A)
    sequences = sequences_from_uniform(probabilities, fractals, uniform)
    points = iterate_points(transforms, fractals, sequences, start_points(transforms, fractals))
    stays = (points.abs() < EXPLOSION_RADIUS).flatten(1).all(1)  # false for NaN
    return ~stays.view(number, EXPLOSION_SEQUENCES).all(1)


def warn_of_detail(iou: Tensor, image_size: int, num_transforms: int) -> None:
    """Log a warning if targets are too fine for the number of transforms, given the IoU [n] of each."""
    coarse = int((iou < FINE_IOU).sum())
    if coarse and image_size >= FINE_SIZE:
        which = "the picture is" if len(iou) == 1 else f"{coarse} of the {len(iou)} pictures are"
        log.warning(
            "%s too fine for %d transforms (the lowest IoU is %.2f): more of them may help, such as"
            " --model.num_transforms %d",
            *(which, num_transforms, iou.min().item(), 2 * num_transforms),
        )
