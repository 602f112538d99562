"""Pseudo-class images: what a set of fractals draws, each fractal a class."""

import logging
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan.data.datamodule import Batches, DataModule
from fractalgan.data.drawn_images import FreshBatches, draw_images
from fractalgan.data.image_set import ImageSet, first_images
from fractalgan.data.stream import EndlessBatches, StreamPosition
from fractalgan.data.synthetic import JITTER, SYNTHETIC, Sampling
from fractalgan.errors import (
    InputError,
    as_input_error,
    require_at_least,
    require_choice,
    require_features,
    require_image_kind,
)
from fractalgan.limits import require_sizes
from fractalgan.nn import FractalGenerator
from fractalgan.ops import Procedure, SequenceKind, check_view
from fractalgan.randomness import Purpose, generator_for
from fractalgan.storage import close_names, shipped_fractals
from fractalgan.storage.labels import require_labels

log = logging.getLogger(__name__)

START: Procedure = "anderson-farrell"
COUNT = 100  # fractals that are not learned, unless another number is asked for
# At most, but one validation image of each fractal at least.
VALIDATION_IMAGES, VALIDATION_BYTES = 10_000, 2**29
MAX_BYTES = 4 * 2**30  # of training images that are drawn once, and kept

LabelKind = Literal["fractal", "class"]


class FractalData(DataModule):
    """Images of fractals, each fractal a pseudo-class: learned or random ones, or one that is perturbed.

    Batches are ``(images [B, C, size, size] float in [0, 1], pseudo-classes [B])``, with C = 3 for fractals
    in color, else 1; with ``labels="class"``, each image has the class of its fractal instead. Training
    batches are an endless stream, as those of real images are.

    Args:
        fractals: source of the images: ``random``; ``perturbed``, one random fractal of which each
            pseudo-class changes all numbers (Nakamura et al., ECCV 2024, 1p-frac); the name of learned
            fractals that ship with the project, a file of fractals (.safetensors, .json, .flame, .ifs), or a
            checkpoint or run folder of a task that learns fractals; set by --model.fractals.
        num_fractals: number of fractals, each a pseudo-class (J), which learned fractals must have; set by
            --model.num_fractals; null uses all learned ones, or 100 others.
        labels: what images are labeled with: their fractal, a pseudo-class, or the class that it carries.
        num_transforms: number of affine transforms per fractal that is not learned (N); null is 10 for random
            ones, as in the paper, and 2 for a perturbed one, as in 1p-frac.
        perturbation: largest relative change of each number of A and b of a perturbed fractal; null is 0.1,
            as in 1p-frac.
        start: how random fractals are sampled: as in Anderson & Farrell, as in FractalDB, or even, with
            transforms of similar size.
        fractals_seed: random seed of random fractals; null uses --seed_everything.
        features: what transforms of random fractals carry: 3 numbers, a random color; 1, a random gray level;
            or 0, which draws white on black. null is 0, or in a comparison what the real images need.
        images_per_class: number of training images per fractal; there are a tenth as many validation images,
            at most 10,000 and 512 MiB in all, or one per fractal.
        fresh: whether to draw new images at every step, instead of the same ones in every pass, which are
            kept in memory.
        size: height and width in pixels.
        num_points: number of points per image (T); null uses that of learned fractals, or 300 for random ones
            at 32 x 32 pixels, and scales with the image size.
        window: half the side length of the square region of the plane that is rendered; null uses that of
            learned fractals, or 1.5 for random ones.
        tau: squared width of a point, in pixels^2; null uses that of each learned fractal, or 1 for random
            ones at 32 x 32 pixels, and scales with the image size.
        jitter: std of the Gaussian noise that is added to A, b and colors anew for each image, for b relative
            to a window of 2.5, so that it is the same number of pixels in every window: images of a
            pseudo-class must vary for a network to learn from them. auto is 0.15, and 0.02 for a perturbed
            fractal, whose classes differ less; null uses that of learned fractals.
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
        num_transforms: int | None = None,
        perturbation: float | None = None,
        start: Procedure = START,
        fractals_seed: int | None = None,
        features: int | None = None,
        images_per_class: int = 600,
        fresh: bool = False,
        size: int = 32,
        num_points: int | None = None,
        window: float | None = None,
        tau: float | None = None,
        jitter: float | Literal["auto"] | None = "auto",
        sequences: SequenceKind | None = None,
        batch_size: int = 128,
        num_workers: int = 0,
        seed: int = 0,
        fractals_copy: str | None = None,
    ) -> None:
        super().__init__()
        count = COUNT if num_fractals is None else num_fractals
        require_choice(LabelKind, labels=labels)
        require_sizes(
            num_fractals=count,
            images_per_class=images_per_class,
            size=size,
            batch_size=batch_size,
            num_points=1 if num_points is None else num_points,
        )
        require_features(features)
        jitter = own_jitter(fractals) if jitter == "auto" else jitter
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
        if fractals in SYNTHETIC:
            kind = num_transforms, start, features or 0, seed if fractals_seed is None else fractals_seed
            self.generator = SYNTHETIC[fractals](Sampling(count, *kind, perturbation))
        else:
            self.generator = learned_generator(fractals, fractals_copy)
            numbers = {"num_transforms": num_transforms, "features": features, "perturbation": perturbation}
            require_no_effect(fractals, start=start, fractals_seed=fractals_seed, **numbers)
        self._check_fractals(num_fractals)
        self.num_fractals = len(self.generator.embedding)
        self._check_memory()
        self._override_view(num_points, window, tau, jitter, sequences)
        self.train_images: ImageSet | None = None
        self._validation: ImageSet | None = None
        self._ready = False

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

    def _check_memory(self) -> None:
        of_image, number = self._bytes_of_image(), self.num_fractals
        smaller = "set a smaller --data.size, or fewer --model.num_fractals"
        require_memory("validation images", number * self._validation_per_class(), of_image, smaller)
        if not self.fresh:
            fresh = "set --data.fresh true to draw them as they are needed"
            require_memory("training images", number * self.images_per_class, of_image, fresh)

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
        if not self.fresh and self.train_images is None:
            self.train_images = self._drawn(self.images_per_class, Purpose.PSEUDO_CLASS_TRAINING)
        self._ready = True

    @property
    def validation_images(self) -> ImageSet | None:
        """Those that are validated on, drawn when they are first needed; None before ``setup``."""
        if self._validation is None and self._ready:
            per_class = self._validation_per_class()
            self._validation = self._drawn(per_class, Purpose.PSEUDO_CLASS_VALIDATION)
        return self._validation

    def _validation_per_class(self) -> int:
        at_most = min(VALIDATION_IMAGES, VALIDATION_BYTES // self._bytes_of_image())
        return max(1, min(self.images_per_class // 10, at_most // self.num_fractals))

    def _bytes_of_image(self) -> int:
        return self.generator.channels * self.size**2

    def _drawn(self, per_class: int, purpose: Purpose) -> ImageSet:
        """Images of every fractal in turn, with the labels that batches have."""
        images = draw_images(self.generator, per_class, generator_for(self.seed, purpose))
        return ImageSet(images, self._labels_of_fractals().repeat(per_class))

    def _labels_of_fractals(self) -> Tensor:
        """[J]."""
        labels = self.generator.embedding.labels if self.labels == "class" else None
        return torch.arange(self.num_fractals) if labels is None else labels

    def train_dataloader(self) -> Batches:
        self._after_setup(self._ready or None)
        position = StreamPosition.of(self.seed, self.trainer)
        if self.train_images is not None:
            return DataLoader(EndlessBatches(self.train_images, self.batch_size, position), batch_size=None)
        total, labels = self.num_fractals * self.images_per_class, self._labels_of_fractals()
        stream = FreshBatches(self.generator, labels, total, self.batch_size, position)
        return DataLoader(stream, batch_size=None, num_workers=self.num_workers)

    def val_dataloader(self) -> Batches:
        return DataLoader(self._after_setup(self.validation_images), batch_size=500)

    def sample(self, count: int) -> Tensor:
        validation = self._after_setup(self.validation_images)
        return first_images(count, *(each for each in (validation, self.train_images) if each is not None))

    def _is_set_up(self) -> bool:
        return self._ready

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {"fractals": self.source}
        names = ("num_fractals", "images_per_class", "fresh", "size", "batch_size")
        facts |= {name: getattr(self, name) for name in names}
        return facts | {"num_points": self.generator.num_points, "tau": round(self.generator.tau, 3)}


def own_jitter(fractals: str) -> float | None:
    """The jitter "auto": that of the procedure, or for learned fractals more than that of their training."""
    return None if fractals in SYNTHETIC else JITTER


def require_no_effect(fractals: str, **options: float | str | None) -> None:
    """Raise InputError for the first option of fractals that are sampled, where learned ones are drawn."""
    for name, value in options.items():
        if value not in (None, 0, START):
            raise InputError(f"--data.{name} has no effect with the fractals of {fractals}: remove it")


def require_memory(what: str, images: int, of_image: int, remedy: str) -> None:
    """Raise InputError for images that are kept, but would fill the memory."""
    if images * of_image > MAX_BYTES:
        raise InputError(f"{images} {what} take {images * of_image / 1e9:.1f} GB of memory: {remedy}")


def learned_generator(source: str, copy: str | None) -> FractalGenerator:
    """The fractals of a source, or of its copy, with a warning of those that are not finite.

    Raises:
        InputError: if there are none, also for a misspelled name of fractals that are sampled.
    """
    copied = copy is not None and Path(copy).is_file()
    near = [] if copied else close_names(source, SYNTHETIC)
    if near and source not in shipped_fractals() and not Path(source).exists():
        raise InputError(f"there are no fractals {source!r}: did you mean {near[0]}?")
    generator = FractalGenerator.from_pretrained(copy if copy is not None and copied else source)
    A, b = generator.embedding()
    blank = len(b) - int((A.flatten(1).isfinite().all(1) & b.flatten(1).isfinite().all(1)).sum())
    if blank:
        message = "%d of the %d fractals of %s are not finite: they draw nothing"
        log.warning(message, blank, len(b), source)
    return generator
