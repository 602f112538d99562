"""Pseudo-class images: what a set of fractals draws, each fractal a class."""

import logging
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan.data.datamodule import Batches, DataModule
from fractalgan.data.image_set import ImageSet, first_images
from fractalgan.data.stream import EndlessBatches, StreamPosition
from fractalgan.errors import (
    InputError,
    as_input_error,
    require_at_least,
    require_choice,
    require_features,
    require_image_kind,
)
from fractalgan.limits import require_sizes, require_transforms
from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import Procedure, SequenceKind, check_view, random_features, random_fractals
from fractalgan.randomness import ALL_RANKS, Purpose, RandomSource, generator_for
from fractalgan.storage.labels import require_labels

log = logging.getLogger(__name__)

POINTS_AT_A_TIME = 1_500_000  # 5,000 images of 300

RANDOM_COUNT = 100  # random fractals, unless another number is asked for

LabelKind = Literal["fractal", "class"]

# How fractals are drawn by default, random ones at 32 x 32 pixels: as good for pre-training as any way that
# was tried, by Fashion-MNIST's validation images (docs/figure5/README.md).
JITTER = 0.15
RANDOM_VIEW = {"num_points": 300, "window": 1.5, "tau": 1.0, "jitter": JITTER}


class FractalData(DataModule):
    """Images of learned or random fractals, each fractal a pseudo-class.

    Batches are ``(images [B, C, size, size] float in [0, 1], pseudo-classes [B])``, with C = 3 for fractals
    in color, else 1; with ``labels="class"``, each image has the class of its fractal instead. Training
    batches are an endless stream, as those of real images are.

    Args:
        fractals: source of the images: ``random``, the name of learned fractals that ship with the project,
            a file of fractals (.safetensors, .json, .flame, .ifs), or a checkpoint or run folder of a task
            that learns fractals; set by --model.fractals.
        num_fractals: number of fractals, each a pseudo-class (J), which learned fractals must have; set by
            --model.num_fractals; null uses all learned ones, or 100 random ones.
        labels: what images are labeled with: their fractal, a pseudo-class, or the class that it carries.
        num_transforms: number of affine transforms per random fractal (N).
        start: how random fractals are sampled: as in Anderson & Farrell, as in FractalDB, or even, with
            transforms of similar size.
        fractals_seed: random seed of random fractals; null uses --seed_everything.
        features: what transforms of random fractals carry: 3 numbers, a random color; 1, a random gray level;
            or 0, which draws white on black. null is 0, or in a comparison what the real images need.
        images_per_class: number of training images per fractal.
        fresh: whether to draw new images at every step, instead of the same ones in every pass.
        size: height and width in pixels.
        num_points: number of points per image (T); null uses that of learned fractals, or 300 for random ones
            at 32 x 32 pixels, and scales with the image size.
        window: half the side length of the square region of the plane that is rendered; null uses that of
            learned fractals, or 1.5 for random ones.
        tau: squared width of a point, in pixels^2; null uses that of each learned fractal, or 1 for random
            ones at 32 x 32 pixels, and scales with the image size.
        jitter: std of the Gaussian noise that is added to A, b and colors anew for each image, for b relative
            to a window of 2.5, so that it is the same number of pixels in every window: images of a
            pseudo-class must vary for a network to learn from them; null uses that of learned fractals, or
            0.15 for random ones.
        sequences: random index sequences, or even ones, with which images vary less; null uses those of
            learned fractals, or random ones.
        batch_size: batch size per process.
        num_workers: number of processes that draw fresh images; the images do not depend on it.
        seed: random seed of images and order; defaults to --seed_everything.
        fractals_copy: file with the same fractals, such as a run's own copy, which is read instead of
            ``fractals`` if it exists.
    """

    def __init__(
        self,
        fractals: str = "random",
        num_fractals: int | None = 100,
        labels: LabelKind = "fractal",
        num_transforms: int = 10,
        start: Procedure = "anderson-farrell",
        fractals_seed: int | None = None,
        features: int | None = None,
        images_per_class: int = 600,
        fresh: bool = False,
        size: int = 32,
        num_points: int | None = None,
        window: float | None = None,
        tau: float | None = None,
        jitter: float | None = JITTER,
        sequences: SequenceKind | None = None,
        batch_size: int = 128,
        num_workers: int = 0,
        seed: int = 0,
        fractals_copy: str | None = None,
    ) -> None:
        super().__init__()
        require_choice(LabelKind, labels=labels)
        require_sizes(
            num_fractals=RANDOM_COUNT if num_fractals is None else num_fractals,
            num_transforms=num_transforms,
            images_per_class=images_per_class,
            size=size,
            batch_size=batch_size,
            num_points=1 if num_points is None else num_points,
        )
        require_features(features)
        require_at_least(0, num_workers=num_workers, fractals_seed=fractals_seed or 0, jitter=jitter or 0)
        if num_workers > 0 and not fresh:
            raise InputError("--data.num_workers > 0 needs --data.fresh true: set both, or neither")
        self.source = fractals
        self.labels = labels
        self.images_per_class = images_per_class
        self.fresh = fresh
        self.size = size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        if fractals == "random":
            drawn_seed = seed if fractals_seed is None else fractals_seed
            self.generator = random_generator(num_fractals, num_transforms, start, features, drawn_seed)
        else:
            require_no_features(features, fractals)
            self.generator = self._learned_generator(fractals_copy)
        self._check_fractals(num_fractals)
        self.num_fractals = len(self.generator.embedding)
        self._override_view(num_points, window, tau, jitter, sequences)
        self.train_images: ImageSet | None = None
        self.validation_images: ImageSet | None = None

    def _learned_generator(self, copy: str | None) -> FractalGenerator:
        """The fractals of ``source``, or of its copy, with a warning of those that are not finite."""
        copied = copy is not None and Path(copy).is_file()
        generator = FractalGenerator.from_pretrained(copy if copy is not None and copied else self.source)
        A, b = generator.embedding()
        blank = len(b) - int((A.flatten(1).isfinite().all(1) & b.flatten(1).isfinite().all(1)).sum())
        if blank:
            message = "%d of the %d fractals of %s are not finite: they draw nothing"
            log.warning(message, blank, len(b), self.source)
        return generator

    def _check_fractals(self, expected: int | None) -> None:
        """Raise InputError for another number of fractals, and where labels are needed but missing."""
        found = len(self.generator.embedding)
        if found == 1:
            raise InputError(f"{self.source} has one fractal, but pre-training needs at least 2")
        if expected not in (None, found):
            raise InputError(
                f"{self.source} has {found} fractals, not {expected}: set --model.num_fractals {found}"
            )
        if self.labels == "class":
            require_labels(self.generator.embedding.labels, self.source)

    def _override_view(
        self,
        num_points: int | None,
        window: float | None,
        tau: float | None,
        jitter: float | None,
        sequences: SequenceKind | None,
    ) -> None:
        """Draw at ``size``, with these settings instead of the fractals' own."""
        generator = self.generator
        generator.image_size = self.size  # scales num_points and tau
        generator.num_points = generator.num_points if num_points is None else num_points
        generator.window = generator.window if window is None else window
        if tau is not None:
            generator.tau, generator.embedding.relative_tau = tau, None
        generator.jitter = generator.jitter if jitter is None else jitter
        generator.sequences = generator.sequences if sequences is None else sequences
        require_choice(SequenceKind, sequences=generator.sequences)
        multiples = generator.embedding.relative_tau
        taus = [generator.tau] if multiples is None else (generator.tau * multiples).tolist()
        with as_input_error():
            check_view(generator.size, generator.window, *taus)

    def require_channels(self, channels: int, source: str) -> None:
        """Raise InputError unless the fractals draw images with so many channels, those of ``source``."""
        drawn, remedy = self.generator.channels, f"set --data.channels {self.generator.channels}"
        reason = f"the fractals of {self.source} draw"
        require_image_kind(channels, source, expected=drawn, reason=reason, remedy=remedy)

    def setup(self, stage: str | None = None) -> None:
        if self.train_images is None:
            self.train_images, self.validation_images = (
                self._labeled(draw_images(self.generator, per_class, generator_for(self.seed, purpose)))
                for per_class, purpose in [
                    (self.images_per_class, Purpose.PSEUDO_CLASS_TRAINING),
                    (max(1, self.images_per_class // 10), Purpose.PSEUDO_CLASS_VALIDATION),
                ]
            )

    def _labeled(self, images: ImageSet) -> ImageSet:
        """The images of :func:`draw_images`, with the labels that batches have."""
        of_fractals = self.generator.embedding.labels if self.labels == "class" else None
        return images if of_fractals is None else ImageSet(images.images, of_fractals[images.labels])

    def train_dataloader(self) -> Batches:
        images = self._after_setup(self.train_images)
        position = StreamPosition.of(self.seed, self.trainer)
        if not self.fresh:
            return DataLoader(EndlessBatches(images, self.batch_size, position), batch_size=None)
        stream = FreshBatches(images, self.batch_size, position, self.generator)
        return DataLoader(stream, batch_size=None, num_workers=self.num_workers)

    def val_dataloader(self) -> Batches:
        return DataLoader(self._after_setup(self.validation_images), batch_size=500)

    def sample(self, count: int) -> Tensor:
        validation, train = self._after_setup(self.validation_images), self._after_setup(self.train_images)
        return first_images(count, validation, train)

    def _is_set_up(self) -> bool:
        return self.train_images is not None

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {"fractals": self.source}
        names = ("num_fractals", "images_per_class", "fresh", "size", "batch_size")
        facts |= {name: getattr(self, name) for name in names}
        return facts | {"num_points": self.generator.num_points, "tau": round(self.generator.tau, 3)}


class FreshBatches(EndlessBatches):
    """The same stream of images as labeled, but every image is drawn anew, from (seed, batch).

    Args:
        images: those of :func:`draw_images`, with any labels.
        batch_size: images per batch and rank.
        position: where this process reads.
        generator: draws the images.
    """

    def __init__(
        self, images: ImageSet, batch_size: int, position: StreamPosition, generator: FractalGenerator
    ) -> None:
        super().__init__(images, batch_size, position)
        self.generator = generator

    @torch.no_grad()
    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        fractals = indices % len(self.generator.embedding)  # they are in turn
        generator = generator_for(self.position.seed, ALL_RANKS, batch, Purpose.PSEUDO_CLASS_FRESH)
        images = self.generator.draw(fractals, RandomSource(generator, self.position.shard))
        return images, self.images.labels[indices]


def random_generator(
    count: int | None, num_transforms: int, start: Procedure, features: int | None, seed: int
) -> FractalGenerator:
    """Random fractals, 100 by default, with random gray levels or colors, drawn as is best for pre-training.

    Raises:
        InputError: if the procedure cannot sample fractals with so many transforms.
    """
    count = RANDOM_COUNT if count is None else count
    require_transforms(count, num_transforms)
    random = generator_for(seed, Purpose.PSEUDO_CLASS_FRACTALS)
    with as_input_error(f"start {start}"):
        transforms = random_fractals(start, count, num_transforms, random)
    colors = random_features(transforms.b, features or 0, random)
    embedding = FractalEmbedding(transforms, "raw", features=colors)
    return FractalGenerator(embedding, **RANDOM_VIEW)  # type: ignore[arg-type]


def require_no_features(features: int | None, fractals: str) -> None:
    """Raise InputError for gray levels or colors of learned fractals, which have their own."""
    if features:
        raise InputError(f"--data.features has no effect with the fractals of {fractals}: remove it")


@torch.no_grad()
def draw_images(generator: FractalGenerator, per_class: int, random: torch.Generator) -> ImageSet:
    """``per_class`` images of every fractal in turn, as 8-bit images labeled with their fractals."""
    labels = torch.arange(len(generator.embedding)).repeat(per_class)
    images = torch.empty(len(labels), generator.channels, *generator.size, dtype=torch.uint8)
    chunk = max(1, POINTS_AT_A_TIME // generator.num_points)
    for part, fractals in zip(torch.split(images, chunk), torch.split(labels, chunk), strict=True):
        part.copy_((generator.draw(fractals, random) * 255).round())
    return ImageSet(images, labels)
