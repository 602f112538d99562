"""Images that fractals draw: a number of each at once, or an endless stream of fresh ones."""

import torch
from torch import Tensor

from fractalgan.data.stream import EndlessStream, StreamPosition
from fractalgan.nn import FractalGenerator
from fractalgan.randomness import ALL_RANKS, Purpose, RandomSource, generator_for

POINTS_AT_A_TIME = 1_500_000  # 5,000 images of 300


@torch.no_grad()
def draw_images(generator: FractalGenerator, per_class: int, random: torch.Generator) -> Tensor:
    """``per_class`` images of every fractal in turn, [per_class * J, C, H, W] uint8."""
    fractals = torch.arange(len(generator.embedding)).repeat(per_class)
    images = torch.empty(len(fractals), generator.channels, *generator.size, dtype=torch.uint8)
    chunk = max(1, POINTS_AT_A_TIME // generator.num_points)
    for part, drawn in zip(torch.split(images, chunk), torch.split(fractals, chunk), strict=True):
        part.copy_((generator.draw(drawn, random) * 255).round())
    return images


class FreshBatches(EndlessStream):
    """The stream of images that are drawn as they are read, each from (seed, batch), its fractals in turn.

    Args:
        generator: draws the images.
        labels: [J], of its fractals.
        total: number of images per pass, as many of each fractal.
        batch_size: images per batch and rank.
        position: where this process reads.
    """

    def __init__(
        self,
        generator: FractalGenerator,
        labels: Tensor,
        total: int,
        batch_size: int,
        position: StreamPosition,
    ) -> None:
        super().__init__(total, batch_size, position)
        self.generator = generator
        self.labels = labels

    @torch.no_grad()
    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        fractals = indices % len(self.labels)
        generator = generator_for(self.position.seed, ALL_RANKS, batch, Purpose.PSEUDO_CLASS_FRESH)
        images = self.generator.draw(fractals, RandomSource(generator, self.position.shard))
        return images, self.labels[fractals]
