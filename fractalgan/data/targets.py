"""Images to be rebuilt, each by a fractal of its own: from a data set, FractalDB, or the user's pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import torch
from pytorch_lightning import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from fractalgan.data.folder import read_all, visible_files
from fractalgan.data.fractaldb import fractaldb_images
from fractalgan.data.image_set import ImageSet, Threshold
from fractalgan.data.images import Batches, ImageData, warn_of_brightness
from fractalgan.errors import InputError, require_at_least
from fractalgan.limits import require_sizes
from fractalgan.randomness import generator_for

TargetName = Literal["digits", "MNIST", "FashionMNIST", "KMNIST", "fractaldb"]
Split = Literal["train", "validation", "test"]

CHOICE = 610  # what these random numbers are for: the last word of their key

SMALLEST = 8  # pixels a side: less shows nothing


class TargetData(LightningDataModule):
    """Batches ``(targets [n, 1, size, size] float in [0, 1], rows [n])``, the same at every step.

    ``rows`` are the places of the targets among all; each process has a share of its own. What is
    chosen does not follow --seed_everything: runs with other seeds rebuild the same images.

    Args:
        name: where the images come from, unless ``path`` is given: a data set, or ``fractaldb`` for random
            fractals.
        path: a picture, or a folder of pictures, of your own.
        root: where the data sets are kept.
        split: the part of a data set.
        count: how many targets; of your own pictures all are taken.
        per_class: of a data set, the first so many of each class instead.
        size: height and width in pixels; all images are resized to it.
        binarize: images become 1 above this level and 0 below; null keeps them grey.
        invert: for dark drawings on a bright ground; fractals are drawn bright on dark.
        choice: another number chooses other images.
    """

    def __init__(
        self,
        name: TargetName = "digits",
        path: str | None = None,
        root: str = "data",
        split: Split = "test",
        count: int = 100,
        per_class: int | None = None,
        size: int = 32,
        binarize: float | None = None,
        invert: bool = False,
        choice: int = 0,
    ) -> None:
        super().__init__()
        if name not in get_args(TargetName):
            raise InputError(f"no targets {name!r}: choose one of {', '.join(get_args(TargetName))}")
        if split not in get_args(Split):
            raise InputError(f"split: choose one of {', '.join(get_args(Split))}, got {split!r}")
        require_sizes(count=count)
        require_at_least(1, per_class=1 if per_class is None else per_class)
        require_at_least(0, choice=choice)
        require_sizes(SMALLEST, size=size)
        if binarize is not None and not 0 <= binarize < 1:
            raise InputError(f"binarize: want a level in [0, 1), or null for grey images, got {binarize}")
        self.path = None if path is None else Path(path).expanduser()
        self.source = name if self.path is None else self.path.name
        self.size = size
        self.prepare = Threshold(binarize, invert)
        self.choice = choice
        self.count = count
        self.per_class = per_class
        self.split = split
        self.real = None
        if self.path is None and name != "fractaldb":
            self.real = ImageData(name, root, size, binarize=None)
        self.targets: Tensor | None = None  # [n, 1, size, size]
        self.indices = torch.arange(0)  # where each was found: what its random numbers follow from
        self.names: list[str] = []

    def prepare_data(self) -> None:
        if self.real is not None:
            self.real.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        if self.targets is not None:
            return
        images = self._pictures() if self.path is not None else self._chosen()
        images.prepare = self.prepare
        targets, _ = images[torch.arange(len(images))]
        self._check_contrast(targets)
        warn_of_brightness(targets, self.prepare)
        self.targets = targets

    def _pictures(self) -> ImageSet:
        """All of the user's own, in the order of their names."""
        assert self.path is not None
        if self.path.is_dir():
            paths = visible_files(self.path)
            if not paths:
                raise InputError(f"no images in {self.path}: put PNG or JPEG files there")
            self.names = [str(path.relative_to(self.path)) for path in paths]
        elif self.path.is_file():
            paths = [self.path]
            self.names = [self.path.name]
        else:
            raise InputError(f"no picture or folder {self.path}: give one as --data.path")
        self.indices = torch.arange(len(paths))
        return ImageSet(torch.stack(read_all(paths, self.size)))

    def _chosen(self) -> ImageSet:
        """Those of the data set that are asked for."""
        if self.real is None:
            images = ImageSet(fractaldb_images(self.count, self.size, self.choice))
            self.indices = torch.arange(self.count)
        else:
            self.real.setup()
            whole = {
                "train": self.real.train_images,
                "validation": self.real.validation_images,
                "test": self.real.test_images,
            }[self.split]
            assert whole is not None
            self.indices = self._choose(whole)
            images = whole.select(self.indices)
        self.names = [f"{self.source} {index}" for index in self.indices.tolist()]
        return images

    def _choose(self, images: ImageSet) -> Tensor:
        if self.per_class is not None:
            found = [(images.labels == label).nonzero().squeeze(1) for label in torch.unique(images.labels)]
            if (least := min(map(len, found))) < self.per_class:
                raise InputError(f"per_class: a class has {least} images in the {self.split} set")
            return torch.cat([each[: self.per_class] for each in found])
        if self.count > len(images):
            raise InputError(f"count: the {self.split} set of {self.source} has {len(images)} images")
        order = torch.randperm(len(images), generator=generator_for(self.choice, CHOICE))
        return order[: self.count]

    def _check_contrast(self, targets: Tensor) -> None:
        flat = targets.flatten(1)
        plain = (flat.amax(1) - flat.amin(1) < 1 / 255).nonzero().flatten().tolist()
        if plain:
            hint = "" if self.prepare.binarize is None else ", or another --data.binarize"
            raise InputError(
                f"{self.names[plain[0]]} is of one colour, there is nothing to rebuild: give another{hint}"
            )

    def train_dataloader(self) -> Batches:
        return DataLoader(SameTargets(*self._share()), batch_size=None)

    def val_dataloader(self) -> Batches:
        return DataLoader([self._share()], batch_size=None)  # type: ignore[arg-type]

    def _share(self) -> tuple[Tensor, Tensor]:
        """This process's targets and their rows."""
        assert self.targets is not None
        trainer: Trainer | None = self.trainer
        rank, processes = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        rows = torch.arange(len(self.targets))[rank::processes]
        return self.targets[rows], rows


class SameTargets(IterableDataset[tuple[Tensor, Tensor]]):
    """The same batch again and again, without end.

    Args:
        targets: [n, 1, H, W].
        rows: [n] their places among all targets.
    """

    def __init__(self, targets: Tensor, rows: Tensor) -> None:
        self.targets, self.rows = targets, rows

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield self.targets, self.rows
