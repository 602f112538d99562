"""The stored sets of the table of labeled fractals: how many fractals each has, and where they come from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule

from fractalgan.data import OWN_SIZES, ImageData, TargetData
from fractalgan.data.exemplars import Exemplars
from fractalgan.data.synthetic import Sampling, random_generator
from fractalgan.errors import IMAGE_KINDS, InputError
from fractalgan.experiments.distillation_plan import DistillationPlan
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.experiments.real_images import in_batches, real_images
from fractalgan.experiments.recipe import Recipe
from fractalgan.experiments.storage_room import require_room
from fractalgan.nn import FractalGenerator, Labels, make_network
from fractalgan.storage import fractals_per_class, numbers_per_fractal
from fractalgan.tasks import Distillation, FractalGAN, Reconstruction
from fractalgan.tasks.distillation import require_enough_images
from fractalgan.tasks.fractal_task import FractalTask
from fractalgan.tasks.protocols import require_classes

# Which images of each class are taken.
CHOICES: dict[str, Exemplars] = {
    "exemplars": "medoids",
    "pixels": "medoids",
    "random-exemplars": "random",
    "random-pixels": "random",
}

OF_IMAGES = (*CHOICES, "distilled")  # each fractal is made of an image, or each image is stored

OF_TARGETS = ("name", "root", "size", "channels", "background", "invert", "ignore_invalid")


@dataclass(frozen=True)
class StoredSets:
    """Labeled fractals of each source, which are learned once and kept as files, and real images.

    Args:
        plan: what is compared.
        data: arguments of ImageData.
        reconstruction: how images are rebuilt by Reconstruction.
        gan: how FractalGAN is trained.
        distillation: how Distillation is trained.
    """

    plan: DistillationPlan
    data: dict[str, Any]
    reconstruction: Recipe
    gan: Recipe
    distillation: Recipe

    @property
    def real(self) -> ImageData:
        """The real images in grayscale or color, which are validated and tested on."""
        return real_images(**self.data, binarize=None)

    @property
    def num_features(self) -> int:
        """K."""
        following = 3 if self.real.channels == 3 else 0
        return following if self.plan.features is None else self.plan.features

    @property
    def numbers_of_image(self) -> int:
        """The numbers of an image as the data set has it."""
        size = OWN_SIZES.get(self.real.source, self.real.size)
        return (self.real.channels or 1) * size * size

    def per_class(self, source: str, images_per_class: int) -> int:
        """How many fractals or images of each class a source has in the storage of so many images."""
        of_gan = source == "gan"
        blend = (self.gan if of_gan else self.reconstruction).arguments.get("blend", 0.0)
        per_fractal = numbers_per_fractal(
            self.plan.num_transforms,
            self.num_features,
            blended=bool(self.num_features) and blend != 0 and source != "random",
            own_tau=of_gan and self.gan.arguments.get("tau") is None,
        )
        classes = len(self.real.classes)
        return fractals_per_class(classes * images_per_class * self.numbers_of_image, classes, per_fractal)

    def check(self) -> None:
        """Raise InputError for options with which a set cannot be made."""
        real, features = self.real, self.num_features
        require_classes(real, "a classifier needs")
        if max(1, features) != real.channels:
            fitting = "null or 3" if real.channels == 3 else "null, 0 or 1"
            kind = IMAGE_KINDS[real.channels or 1]
            raise InputError(f"plan.features must be {fitting} for images {kind}, got {features}")
        assert real.train_images is not None
        smallest = int(real.train_images.labels.bincount(minlength=len(real.classes)).min())
        for images in self.plan.images_per_class:
            for source in self.plan.sources:
                at_most = smallest if source in OF_IMAGES else None
                require_room(self.per_class(source, images), images, at_most)
        self._check_tasks()

    def _check_tasks(self) -> None:
        with self.reconstruction.named("reconstruction"):
            self._reconstruction(0)
        with self.distillation.named("distillation"):
            self._check_distillation()
        if "gan" in self.plan.sources:
            with self.gan.named("gan"):
                self._gan(len(self.real.classes), 0)
            if self.gan.arguments.get("conditional") is None:
                raise InputError("gan.conditional must be projection or auxiliary, got null")
            if self.num_features and self.gan.binarize not in (None, "auto"):
                raise InputError(
                    f"gan.binarize must be auto or null for fractals with features, got {self.gan.binarize}"
                )

    def _check_distillation(self) -> None:
        classes = len(self.real.classes)
        options = Distillation(image_size=self.real.size, **self.distillation.arguments).hparams
        sizes = self.real.size, self.real.channels or 1
        with torch.device("meta"):  # without numbers
            make_network(options["network"], classes, *sizes, options["width"])
        if options["loss"] == "distribution" and "distilled" in self.plan.sources:
            for images in self.plan.images_per_class:
                per_class = torch.full((classes,), self.per_class("distilled", images))
                require_enough_images(options["num_images"], per_class)

    # -- real images ----------------------------------------------------------------------------

    def images(self, source: str, images_per_class: int, seed: int, batch_size: int) -> ImageData:
        """Training images of ``pixels`` or ``random-pixels``, with all real ones for validation and test."""
        return ImageData(
            **self.data,
            binarize=None,
            batch_size=batch_size,
            per_class=self.per_class(source, images_per_class),
            exemplars=CHOICES[source],
            choice=seed,
            seed=seed,
        )

    def _targets(self, source: str, images_per_class: int, seed: int) -> TargetData:
        """The images that are rebuilt: with equal seeds, those of :meth:`images`."""
        given = {name: value for name, value in self.data.items() if name in OF_TARGETS}
        targets = TargetData(
            **given,
            split="train",
            per_class=self.per_class(source, images_per_class),
            exemplars=CHOICES[source],
            choice=seed,
        )
        targets.real = self.real  # which is split as the other sources are, and is not read again
        return targets

    # -- fractals -------------------------------------------------------------------------------

    def fractals(self, folder: Path, source: str, images_per_class: int, seed: int) -> Path:
        """The file of a source's fractals in the folder, which are learned unless they are there.

        Args:
            folder: of all files.
            source: of fractals.
            images_per_class: their storage.
            seed: random seed.
        """
        path = folder / f"{source}-{images_per_class}-{seed}.safetensors"
        if path.is_file():
            return path
        start = self.fractals(folder, "exemplars", images_per_class, seed) if source == "distilled" else None
        torch.manual_seed(seed)
        if source in CHOICES:
            targets = self._targets(source, images_per_class, seed)
            found = self._learned(self._reconstruction(seed), targets, self.reconstruction)
        elif source == "gan":
            number = self.per_class(source, images_per_class) * len(self.real.classes)
            found = self._learned(self._gan(number, seed), self._images_of_gan(seed), self.gan)
        elif source == "distilled":
            task = Distillation(
                str(start), image_size=self.real.size, seed=seed, **self.distillation.arguments
            )
            images = in_batches(self.real, self.distillation.batch_size, seed)
            found = self._learned(task, images, self.distillation, precision=self.plan.precision)
        else:
            found = self._random(self.per_class(source, images_per_class), seed)
        folder.mkdir(parents=True, exist_ok=True)
        found.save(path)
        return path

    def _learned(
        self, task: FractalTask, data: LightningDataModule, recipe: Recipe, **options: Any
    ) -> FractalGenerator:
        """The fractals that a task learns; ``options`` are those of the Trainer."""
        trainer = quiet_trainer(
            recipe.steps,
            limit_val_batches=0,
            enable_checkpointing=False,
            accelerator=self.plan.accelerator,
            **options,
        )
        trainer.fit(task, data)
        found = task.learned_fractals().cpu()
        known = {"task": type(task).__name__, "step": recipe.steps, "seed": task.hparams["seed"]}
        found.provenance = known | {"data": self.real.origin()}
        return found

    def _reconstruction(self, seed: int) -> Reconstruction:
        return Reconstruction(**self._kind(), seed=seed, **self.reconstruction.arguments)

    def _gan(self, num_fractals: int, seed: int) -> FractalGAN:
        return FractalGAN(num_fractals, **self._kind(), seed=seed, **self.gan.arguments)

    def _kind(self) -> dict[str, Any]:
        """Arguments of tasks that make fractals."""
        plan = self.plan
        return {
            "num_transforms": plan.num_transforms,
            "features": plan.features,
            "image_size": self.real.size,
        }

    def _images_of_gan(self, seed: int) -> ImageData:
        binarize = self.gan.binarize
        level = None if binarize == "auto" and self.num_features else binarize
        return in_batches(real_images(**self.data, binarize=level), self.gan.batch_size, seed)

    def _random(self, per_class: int, seed: int) -> FractalGenerator:
        """Random fractals, as they are drawn for pre-training, which are labeled in turn."""
        classes = tuple(self.real.classes)
        labels = torch.arange(len(classes)).repeat_interleave(per_class)
        plan = self.plan
        found = random_generator(
            Sampling(len(labels), plan.num_transforms, "anderson-farrell", self.num_features, seed)
        )
        found.embedding.label_(Labels(labels, classes))
        found.provenance = {"start": "anderson-farrell", "seed": seed}
        return found
