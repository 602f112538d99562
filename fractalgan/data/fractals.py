"""Pseudo-class images: what a set of fractals draws, each fractal a class."""

import logging

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan.data.image_set import ImageSet
from fractalgan.data.images import Batches
from fractalgan.data.stream import EndlessBatches, Place
from fractalgan.errors import InputError, blame_input, require_at_least
from fractalgan.limits import require_maps, require_sizes
from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import Procedure, check_view, random_systems
from fractalgan.randomness import TOGETHER, generator_for

log = logging.getLogger(__name__)

# What random numbers are for: the last word of their key.
SYSTEMS, DRAWN, FRESH, VALIDATION = range(200, 204)

POINTS = 1_500_000  # that are drawn at a time: 5,000 images of 300

# How random fractals are drawn where nothing else is asked for: what served pre-training best of all that
# was tried on Fashion-MNIST's validation images (docs/figure5/README.md).
RANDOM_VIEW = {"num_points": 300, "window": 1.5, "tau": 1.0, "jitter": 0.15}


class FractalData(LightningDataModule):
    """Batches ``(images [B, 1, size, size] float in [0, 1], pseudo-classes [B])`` drawn by fractals.

    Training batches come in an endless stream, as those of real images do.

    Args:
        fractals: what draws: ``random``, the name of learned fractals that ship with the project, their
            safetensors or JSON file, or a checkpoint of FractalGAN; follows --model.fractals.
        num_fractals: J, the pseudo-classes; learned fractals must have as many.
        num_transforms: N, the affine maps of each random fractal.
        start: the procedure of random fractals.
        fractals_seed: of random fractals; null: follows ``seed``.
        images_per_class: how many images of each fractal make a pass.
        fresh: draw new images at every step, instead of the same ones in every pass.
        size: height and width in pixels.
        num_points: T, the points of an image; null: as the fractals were learned, for random ones 300.
        window: half the side of the square of the plane that is drawn; null: as learned, or 1.5.
        tau: width of a point, in pixels squared; null: as learned, or 1, in proportion to the image's area.
        jitter: standard deviation of the noise on A and b that is drawn anew for every image; null: as
            learned, or 0.15.
        batch_size: images a batch (and process).
        num_workers: processes that draw fresh images beside the training; the images are the same.
        seed: of images and order; follows --seed_everything.
    """

    def __init__(
        self,
        fractals: str = "random",
        num_fractals: int = 100,
        num_transforms: int = 10,
        start: Procedure = "anderson-farrell",
        fractals_seed: int | None = None,
        images_per_class: int = 600,
        fresh: bool = False,
        size: int = 32,
        num_points: int | None = None,
        window: float | None = None,
        tau: float | None = None,
        jitter: float | None = None,
        batch_size: int = 128,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_sizes(
            num_fractals=num_fractals,
            num_transforms=num_transforms,
            images_per_class=images_per_class,
            size=size,
            batch_size=batch_size,
            num_points=1 if num_points is None else num_points,
        )
        require_maps(num_fractals, num_transforms)
        require_at_least(0, num_workers=num_workers, fractals_seed=fractals_seed or 0, jitter=jitter or 0)
        self.source = fractals
        self.num_fractals = num_fractals
        self.images_per_class = images_per_class
        self.fresh = fresh
        self.size = size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        if fractals == "random":
            self.generator = self._random_generator(
                num_transforms, start, seed if fractals_seed is None else fractals_seed
            )
        else:
            self.generator = FractalGenerator.from_pretrained(fractals)
            self._tell_blank()
        self._look_through(num_points, window, tau, jitter)
        self.train_images: ImageSet | None = None
        self.validation_images: ImageSet | None = None

    def _random_generator(self, num_transforms: int, start: Procedure, seed: int) -> FractalGenerator:
        with blame_input(f"start {start}"):
            systems = random_systems(start, self.num_fractals, num_transforms, generator_for(seed, SYSTEMS))
        return FractalGenerator(FractalEmbedding(systems, "raw"), **RANDOM_VIEW)  # type: ignore[arg-type]

    def _tell_blank(self) -> None:
        """Say how many fractals are not finite, as of a reconstruction that diverged."""
        A, b = self.generator.embedding()
        blank = len(b) - int((A.flatten(1).isfinite().all(1) & b.flatten(1).isfinite().all(1)).sum())
        if blank:
            told = "%d of the %d fractals of %s are not finite: they draw nothing"
            log.warning(told, blank, len(b), self.source)

    def _look_through(
        self, num_points: int | None, window: float | None, tau: float | None, jitter: float | None
    ) -> None:
        """Draw ``size`` pixels a side, and what is given in place of the fractals' own view."""
        generator = self.generator
        area = (self.size / generator.size[0]) ** 2
        if len(generator.embedding) == 1:
            raise InputError(f"{self.source} is one fractal: pre-training tells two or more apart")
        if len(generator.embedding) != self.num_fractals:
            raise InputError(
                f"{self.source} has {len(generator.embedding)} fractals, not {self.num_fractals}:"
                f" give --model.num_fractals {len(generator.embedding)}"
            )
        generator.size = (self.size, self.size)
        generator.num_points = num_points or generator.num_points
        generator.window = generator.window if window is None else window
        generator.tau = generator.tau * area if tau is None else tau
        generator.jitter = generator.jitter if jitter is None else jitter
        with blame_input():
            check_view(generator.size, generator.window, generator.tau)

    def setup(self, stage: str | None = None) -> None:
        if self.train_images is None:
            count = max(1, self.images_per_class // 10)
            self.train_images = draw_images(
                self.generator, self.images_per_class, generator_for(self.seed, DRAWN)
            )
            self.validation_images = draw_images(self.generator, count, generator_for(self.seed, VALIDATION))

    def train_dataloader(self) -> Batches:
        assert self.train_images is not None
        place = Place.of(self.seed, self.trainer)
        if not self.fresh:
            return DataLoader(EndlessBatches(self.train_images, self.batch_size, place), batch_size=None)
        stream = FreshBatches(self.train_images, self.batch_size, place, self.generator)
        return DataLoader(stream, batch_size=None, num_workers=self.num_workers)

    def val_dataloader(self) -> Batches:
        assert self.validation_images is not None
        return DataLoader(self.validation_images, batch_size=500)


class FreshBatches(EndlessBatches):
    """The same stream of pseudo-classes, but every image is drawn anew, from (seed, batch)."""

    def __init__(self, images: ImageSet, batch_size: int, place: Place, generator: FractalGenerator) -> None:
        super().__init__(images, batch_size, place)
        self.generator = generator

    @torch.no_grad()
    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        fractals = self.images.labels[indices]
        random = generator_for(self.place.seed, TOGETHER, batch, FRESH)
        return self.generator.draw(fractals, random, self.place.share), fractals


@torch.no_grad()
def draw_images(generator: FractalGenerator, per_class: int, random: torch.Generator) -> ImageSet:
    """``per_class`` images of every fractal in turn, as 8-bit images labelled with their fractals."""
    labels = torch.arange(len(generator.embedding)).repeat(per_class)
    images = torch.empty(len(labels), 1, *generator.size, dtype=torch.uint8)
    chunk = max(1, POINTS // generator.num_points)
    for part, fractals in zip(torch.split(images, chunk), torch.split(labels, chunk), strict=True):
        part.copy_((generator.draw(fractals, random) * 255).round())
    return ImageSet(images, labels)
