"""Images to reconstruct, each by a fractal of its own: from a data set, FractalDB, or the user's pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from fractalgan.data.background import Invert, require_invert, resolve_invert, warn_of_brightness
from fractalgan.data.datamodule import Batches, DataModule
from fractalgan.data.folder import list_pictures
from fractalgan.data.fractaldb import fractaldb_images
from fractalgan.data.image_set import ImageSet, Threshold
from fractalgan.data.images import ImageData
from fractalgan.data.pictures import Pictures, read_pictures
from fractalgan.data.sources import DOWNLOADED, require_no_root
from fractalgan.errors import InputError, require_at_least, require_binarize_level, require_choice
from fractalgan.limits import require_sizes
from fractalgan.randomness import Purpose, generator_for

TargetName = Literal["digits", "MNIST", "FashionMNIST", "KMNIST", "fractaldb"]
Split = Literal["train", "validation", "test"]

MIN_SIZE = 8  # pixels a side: less shows nothing


class TargetData(DataModule):
    """Images to reconstruct: from a data set, or your own pictures.

    Batches are ``(targets [n, 1, size, size] float in [0, 1], rows [n])``, the same at every step. ``rows``
    are the places of the targets among all; each process has targets of its own. The choice of targets does
    not depend on --seed_everything: runs with other seeds reconstruct the same images.

    Args:
        name: source of the targets, unless ``path`` is set: a data set, or ``fractaldb`` for images of
            random fractals.
        path: your own picture, or a folder of pictures.
        root: folder for downloads, by default ``data``.
        split: part of the data set that the targets are taken from.
        count: number of targets from a data set; of your own pictures, all are used.
        per_class: number of targets per class of a data set, the first ones, instead of ``count``.
        size: height and width in pixels; all images are resized to it.
        binarize: threshold above which pixels become 1, and 0 below; null keeps them in grayscale.
        invert: whether to invert the images, for dark drawings on a bright background: fractals are drawn
            bright on dark. ``auto`` inverts your own pictures if most of them have an outline that is mostly
            bright.
        ignore_invalid: whether to skip image files that cannot be read, instead of stopping at the first.
        choice: random seed of the choice of ``count`` targets.
    """

    def __init__(
        self,
        name: TargetName = "digits",
        path: str | None = None,
        root: str | None = None,
        split: Split = "test",
        count: int = 100,
        per_class: int | None = None,
        size: int = 32,
        binarize: float | None = None,
        invert: Invert = "auto",
        ignore_invalid: bool = False,
        choice: int = 0,
    ) -> None:
        super().__init__()
        require_choice(TargetName, name=name)
        require_choice(Split, split=split)
        require_sizes(count=count)
        require_at_least(1, per_class=1 if per_class is None else per_class)
        require_at_least(0, choice=choice)
        require_sizes(MIN_SIZE, size=size)
        require_binarize_level(binarize)
        require_invert(invert)
        if path is not None:
            require_no_root(root, "--data.path: remove it")
        elif name not in DOWNLOADED:
            require_no_root(root, f"--data.name {name}: use --data.path for your own pictures")
        self.path = None if path is None else Path(path).expanduser()
        self.source = name if self.path is None else self.path.name
        self.split = split
        self.count = count
        self.per_class = per_class
        self.size = size
        self.invert = invert
        self.prepare = Threshold(binarize, invert is True)  # setup() resolves "auto"
        self.ignore_invalid = ignore_invalid
        self.choice = choice
        self.real = None
        if self.path is None and name != "fractaldb":
            self.real = ImageData(name, root, size, binarize=None)
        self.targets: Tensor | None = None  # [n, 1, size, size]
        self.indices = torch.arange(0)  # places in the data set: their random numbers follow from them
        self.names: list[str] = []

    def prepare_data(self) -> None:
        if self.real is not None:
            self.real.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        if self.targets is not None:
            return
        if self.path is None:
            images, bright_background = self._chosen(), False
        else:
            images, _, bright_background = self._pictures(self.path)
        everything = torch.arange(len(images))
        self._check_contrast(ImageSet(images, prepare=self.prepare)[everything][0])
        self.prepare = self.prepare._replace(invert=resolve_invert(self.invert, bright_background))
        targets, _ = ImageSet(images, prepare=self.prepare)[everything]
        warn_of_brightness(targets, self.prepare)
        self.targets = targets

    def _pictures(self, path: Path) -> Pictures:
        """All of the user's own, in the order of their names."""
        if path.is_dir():
            files = list_pictures(path)
            pictures = read_pictures(files, self.size, self.ignore_invalid)
            self.names = [str(files[place].relative_to(path)) for place in pictures.read]
        elif path.is_file():
            pictures = read_pictures([path], self.size, remedy="set --data.path to another picture")
            self.names = [path.name]
        else:
            raise InputError(f"there is no picture or folder {path}: set --data.path to an existing one")
        self.indices = torch.arange(len(pictures.images))
        return pictures

    def _chosen(self) -> Tensor:
        """The requested images [n, 1, size, size] uint8 of the data set."""
        if self.real is None:
            images = fractaldb_images(self.count, self.size, self.choice)
            self.indices = torch.arange(self.count)
        else:
            self.real.setup()
            part = {
                "train": self.real.train_images,
                "validation": self.real.validation_images,
                "test": self.real.test_images,
            }[self.split]
            assert part is not None
            self.indices = self._choose(part)
            images = part.images[self.indices]
        self.names = [f"{self.source} {index}" for index in self.indices.tolist()]
        return images

    def _choose(self, images: ImageSet) -> Tensor:
        if self.per_class is not None:
            found = [(images.labels == label).nonzero().squeeze(1) for label in torch.unique(images.labels)]
            if (least := min(map(len, found))) < self.per_class:
                raise InputError(
                    f"per_class must be <= {least}, the size of the smallest class in the {self.split} set of"
                    f" {self.source}, got {self.per_class}"
                )
            return torch.cat([each[: self.per_class] for each in found])
        if self.count > len(images):
            raise InputError(
                f"count must be <= {len(images)}, the number of images in the {self.split} set of"
                f" {self.source}, got {self.count}"
            )
        order = torch.randperm(len(images), generator=generator_for(self.choice, Purpose.TARGET_CHOICE))
        return order[: self.count]

    def _check_contrast(self, targets: Tensor) -> None:
        flat = targets.flatten(1)
        plain = (flat.amax(1) - flat.amin(1) < 1 / 255).nonzero().flatten().tolist()
        if plain:
            remedy = "" if self.prepare.binarize is None else ", or another --data.binarize"
            raise InputError(
                f"{self.names[plain[0]]} has a single color, so there is nothing to reconstruct:"
                f" choose another image{remedy}"
            )

    def train_dataloader(self) -> Batches:
        return DataLoader(SameTargets(*self._own_targets()), batch_size=None)

    def val_dataloader(self) -> Batches:
        return DataLoader([self._own_targets()], batch_size=None)  # type: ignore[arg-type]

    def _own_targets(self) -> tuple[Tensor, Tensor]:
        """This process's targets and their rows."""
        targets = self._after_setup(self.targets)
        trainer: Trainer | None = self.trainer
        rank, processes = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        rows = torch.arange(len(targets))[rank::processes]
        return targets[rows], rows

    def sample(self, count: int) -> Tensor:
        """The first ``count`` targets."""
        return self._after_setup(self.targets)[:count]

    def _is_set_up(self) -> bool:
        return self.targets is not None

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {}
        if self.path is None:
            facts["name"] = self.source
            facts |= {"split": self.split} if self.real else {}
            facts |= {"per_class": self.per_class} if self.per_class else {"count": self.count}
        else:
            facts["path"] = str(self.path)
        facts["size"] = self.size
        if self.targets is not None:
            facts |= {"targets": len(self.targets), "invert": self.prepare.invert}
        return facts


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
