"""What a validation of FractalGAN measures of the images that its fractals draw."""

import torch
from torch import Tensor, nn

from fractalgan.nn import FractalGenerator, FrechetPixels, RealImages
from fractalgan.ops import collapse
from fractalgan.randomness import Purpose, generator_for
from fractalgan.tasks.protocols import labeled_training_images

MAX_SEEN = 10_000  # validation images that the drawn ones are compared with, without a data module
IMAGES_PER_FRACTAL = 8


class GANScores(nn.Module):
    """Compares the images that fractals draw with real ones.

    They are compared with training images, prototypes included; without a data module that has them, with
    those of the first validation. Labels are used only for ``class_agreement``, the share of fractals whose
    image has the largest IoU with a training image of their class.

    Args:
        seed: random seed of the images that are drawn.
        features: K of the fractals.
    """

    def __init__(self, seed: int, features: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.binary = features == 0
        self.frechet = FrechetPixels(max(1, features))
        self.real: RealImages | None = None
        self.labels: Tensor | None = None  # of the real images
        self.seen: list[Tensor] = []

    def forget(self) -> None:
        """Forget the real images: the next ones may be others, or on another device."""
        self.real = self.labels = None
        self.seen.clear()

    def begin(self, data: object, device: torch.device) -> None:
        """To be called before a validation, with the trainer's data module."""
        found = labeled_training_images(data) if self.real is None else None
        if found is not None:
            images, self.labels = (each.to(device) for each in found)
            self.real = RealImages(images, self.binary)

    def update(self, real: Tensor, fake: Tensor) -> None:
        """Add real and drawn images [B, C, H, W]."""
        self.frechet.update(real, real=True)
        self.frechet.update(fake, real=False)
        if self.real is None and sum(map(len, self.seen)) < MAX_SEEN:
            self.seen.append(real)

    @torch.no_grad()
    def compute(self, generator: FractalGenerator) -> dict[str, Tensor]:
        """The scores of the images since the last call, and of images of every fractal without jitter."""
        if self.real is None:
            self.real = RealImages(torch.cat(self.seen), self.binary)
            self.seen.clear()
        fractals = torch.arange(len(generator.embedding), device=generator.embedding.b.device)
        random = generator_for(self.seed, Purpose.GALLERY)
        sequences = [generator.draw_sequences(fractals, random) for _ in range(IMAGES_PER_FRACTAL)]
        found = collapse(generator.points(fractals, sequences[0]), generator.size)
        counts = {f"collapsed_{kind}": getattr(found, kind) for kind in found._fields}
        scores = {"frechet_pixels": self.frechet.compute()}
        self.frechet.reset()
        if generator.embedding.labels is not None and self.labels is not None:
            nearest = self.labels[self.real.nearest(generator(fractals, sequences[0]))]
            scores["class_agreement"] = (nearest == generator.embedding.labels).float().mean()
        return (
            scores
            | self.real.scores(generator(fractals, each) for each in sequences)._asdict()
            | {name: each.sum().float() for name, each in {"collapsed": found.any, **counts}.items()}
        )
