"""Images to reconstruct, each by a fractal of its own: from a data set, FractalDB, or the user's pictures."""

from pathlib import Path
from typing import Any, Literal, cast

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan.data.background import (
    Invert,
    require_background,
    require_invert,
    require_variation,
    resolve_invert,
    warn_of_brightness,
)
from fractalgan.data.channels import Channels, require_channels, require_grayscale
from fractalgan.data.datamodule import Batches, DataModule
from fractalgan.data.downloads import DOWNLOADED
from fractalgan.data.exemplars import Exemplars
from fractalgan.data.folder import list_pictures
from fractalgan.data.image_set import ImageSet, Threshold
from fractalgan.data.images import ImageData
from fractalgan.data.pictures import Pictures, Reading, read_pictures
from fractalgan.data.sources import DownloadName, SourceName, require_no_root
from fractalgan.data.split import SHARE
from fractalgan.data.stream import SameTargets
from fractalgan.data.target_choice import COUNT, TargetChoice, generated_targets
from fractalgan.errors import InputError, require_binarize_level, require_choice
from fractalgan.limits import require_sizes

TargetName = Literal["digits", DownloadName, "folder", "fractaldb", "photographs"]
Split = Literal["train", "validation", "test"]

UNSPLIT = ("fractaldb", "photographs")
MIN_SIZE = 8  # pixels a side: less shows nothing


class TargetData(DataModule):
    """Images to reconstruct: from a data set, or your own pictures.

    Batches are ``(targets [n, C, size, size] float in [0, 1], rows [n])``, the same at every step, with C = 1
    in grayscale and C = 3 in color. ``rows`` are the places of the targets among all; each process has
    targets of its own. The choice of targets does not depend on --seed_everything: runs with other seeds
    reconstruct the same images. Fractals of images with labels carry these.

    Args:
        name: source of the targets, unless ``path`` is set: a data set; ``folder`` for your own images in one
            sub-folder per class; ``fractaldb`` for images of random fractals; or ``photographs`` for two in
            color that come with scikit-learn.
        path: your own picture, or a folder of pictures, without labels.
        root: folder for downloads, by default ``data``, or the folder of your own images.
        split: part of the data set that the targets are taken from; ``folder`` is split as by ImageData.
        count: number of targets from a data set; null is 100, or all if there are fewer. Of your own
            pictures, all are used.
        per_class: number of targets per class of a data set, instead of ``count``; null takes all of your own
            images in ``folder``.
        exemplars: which images of each class are taken: the first; random ones; medoids, those nearest to the
            centers of k-means clusters; or by herding, those whose mean stays nearest to that of the class.
        size: height and width in pixels; all images are resized to it.
        channels: 1 reads images in grayscale, 3 in color; ``auto`` in color if at least half of them are.
        background: color that transparent pictures are put on, such as white or '#ff8000'; null is white in
            color, and in grayscale black or white, which contrasts more.
        binarize: threshold above which pixels become 1, and 0 below; null keeps all levels.
        invert: whether to invert grayscale images, for dark drawings on a bright background: fractals are
            drawn bright on dark. ``auto`` inverts your own pictures if most of them have an outline that is
            mostly bright.
        validation_share: fraction of the training images that are in the validation split, as for ImageData.
        test_share: fraction of all images that are in the test split, if the data set has no test images.
        ignore_invalid: whether to skip image files that cannot be read, instead of stopping at the first.
        choice: random seed of the choice of targets.
    """

    def __init__(
        self,
        name: TargetName = "digits",
        path: str | None = None,
        root: str | None = None,
        split: Split = "test",
        count: int | None = None,
        per_class: int | None = None,
        exemplars: Exemplars = "first",
        size: int = 32,
        channels: Channels = "auto",
        background: str | None = None,
        binarize: float | None = None,
        invert: Invert = "auto",
        validation_share: float = SHARE,
        test_share: float = SHARE,
        ignore_invalid: bool = False,
        choice: int = 0,
    ) -> None:
        super().__init__()
        require_choice(TargetName, name=name)
        require_choice(Split, split=split)
        require_sizes(count=COUNT if count is None else count)
        require_sizes(MIN_SIZE, size=size)
        require_binarize_level(binarize)
        require_invert(invert)
        require_channels(channels)
        require_background(background, name if path is None and name != "folder" else None)
        _require_effect(name, path, root, (validation_share, test_share))
        self.path = None if path is None else Path(path).expanduser()
        self.source = name if self.path is None else self.path.name
        self.split = split
        self.size = size
        self.invert = invert
        self.prepare = Threshold(binarize, invert is True)  # setup() resolves "auto"
        self.reading = Reading(size, channels, background, ignore_invalid)
        self.choice = TargetChoice(count, per_class, exemplars, choice)
        if path is not None or name in UNSPLIT:
            _require_no_classes(self.choice, f"--data.name {name}" if path is None else "--data.path")
        self.choice.require_effect(own=name == "folder" and path is None)
        self.real = None
        if self.path is None and name not in UNSPLIT:
            self.real = ImageData(
                cast(SourceName, name),
                root,
                size,
                channels,
                background,
                binarize=None,
                invert=invert,
                validation_share=validation_share,
                test_share=test_share,
                ignore_invalid=ignore_invalid,
            )
        self.classes: list[str] = []
        self.labels: Tensor | None = None  # [n], of targets with labels
        self.targets: Tensor | None = None  # [n, C, size, size]
        self.indices = torch.arange(0)  # places in the data set: their random numbers follow from them
        self.names: list[str] = []

    def source_options(self) -> dict[str, str]:
        """Options of ImageData that read the same images: those that differ from the defaults, as typed."""
        return {} if self.real is None else self.real.source_options()

    def origin(self) -> dict[str, Any]:
        """What says which images these are, and which are held out, as plain values."""
        return {"name": self.source} if self.real is None else self.real.origin() | {"split": self.split}

    @property
    def validation_images(self) -> ImageSet | None:
        """Real images that are no targets, prepared like these; None for other sources than data sets."""
        found = None if self.real is None or self.split == "validation" else self.real.validation_images
        return None if found is None else ImageSet(found.images, found.labels, self.prepare)

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
        require_grayscale(
            images.shape[1], self.source, binarize=self.prepare.binarize, invert=self.invert is True
        )
        everything = torch.arange(len(images))
        require_variation(ImageSet(images, prepare=self.prepare)[everything][0], self.names, self.prepare)
        resolved = None if self.real is None else self.real.prepare
        invert = resolve_invert(self.invert, bright_background) if resolved is None else resolved.invert
        self.prepare = self.prepare._replace(invert=invert)
        targets, _ = ImageSet(images, prepare=self.prepare)[everything]
        warn_of_brightness(targets, self.prepare)
        self.targets = targets

    def _pictures(self, path: Path) -> Pictures:
        """All of the user's own, in the order of their names."""
        if path.is_dir():
            files = list_pictures(path)
            pictures = read_pictures(files, self.reading)
            self.names = [str(files[place].relative_to(path)) for place in pictures.read]
        elif path.is_file():
            reading = self.reading._replace(ignore_invalid=False)
            pictures = read_pictures([path], reading, remedy="set --data.path to another picture")
            self.names = [path.name]
        else:
            raise InputError(f"there is no picture or folder {path}: set --data.path to an existing one")
        self.indices = torch.arange(len(pictures.images))
        return pictures

    def _chosen(self) -> Tensor:
        """The requested images [n, C, size, size] uint8 of the data set."""
        if self.real is None:
            images = generated_targets(self.source, self.choice.count, self.reading, self.choice.seed)
            self.indices = torch.arange(len(images))
        else:
            self.real.setup()
            self.classes = self.real.classes
            part = _part(self.real, self.split)
            where = f"the {'training' if self.split == 'train' else self.split} set of {self.source}"
            self.indices = self.choice.of(part, self.classes, where, own=self.source == "folder")
            images = part.images[self.indices]
            if self.classes:
                self.labels = part.labels[self.indices]
        self.names = [f"{self.source} {index}" for index in self.indices.tolist()]
        return images

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
            for option in ("per_class", "count"):
                value = getattr(self.choice, option)
                facts |= {} if value is None else {option: value}
        else:
            facts["path"] = str(self.path)
        facts["size"] = self.size
        if self.targets is not None:
            facts |= {"targets": len(self.targets), "channels": self.targets.shape[1]}
            facts |= {"invert": self.prepare.invert}
        return facts


def _require_effect(
    name: TargetName, path: str | None, root: str | None, shares: tuple[float, float]
) -> None:
    """Raise InputError for options that have no effect on a source."""
    if path is not None:
        require_no_root(root, "--data.path: remove it")
    elif name not in (*DOWNLOADED, "folder"):
        require_no_root(root, f"--data.name {name}: use --data.path for your own pictures")
    if shares != (SHARE, SHARE) and (path is not None or name in UNSPLIT):
        option = f"--data.name {name}" if path is None else "--data.path"
        raise InputError(f"validation_share and test_share have no effect with {option}: remove them")


def _require_no_classes(choice: TargetChoice, source: str) -> None:
    """Raise InputError for a choice by class from a source without classes."""
    option = "per_class" if choice.per_class is not None else "exemplars"
    if choice.per_class is not None or choice.exemplars != "first":
        raise InputError(
            f"{option} needs classes, which {source} does not have: set --data.name to a data set or folder"
        )


def _part(real: ImageData, split: Split) -> ImageSet:
    """The images of a split, after ``setup``."""
    part = {"train": real.train_images, "validation": real.validation_images, "test": real.test_images}[split]
    assert part is not None
    return part
