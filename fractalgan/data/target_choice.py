"""Which images of a source are reconstructed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fractalgan.data.channels import resolve_channels
from fractalgan.data.exemplars import Exemplars, choose_exemplars
from fractalgan.data.fractaldb import fractaldb_images
from fractalgan.data.image_set import ImageSet
from fractalgan.data.photographs import photographs
from fractalgan.data.pictures import Reading
from fractalgan.errors import InputError, require_at_least, require_choice
from fractalgan.randomness import Purpose, generator_for

DETERMINED = ("first", "herding")  # exemplars that do not depend on a random seed

COUNT = 100  # targets, unless another number is asked for


@dataclass(frozen=True)
class TargetChoice:
    """Which images of a data set are used: some of each class, or of all.

    Raises:
        InputError: for a value out of range.
    """

    count: int | None  # None takes 100, or of the user's own all
    per_class: int | None  # instead of count
    exemplars: Exemplars
    seed: int

    def __post_init__(self) -> None:
        require_choice(Exemplars, exemplars=self.exemplars)
        require_at_least(1, per_class=1 if self.per_class is None else self.per_class)
        require_at_least(0, choice=self.seed)

    def require_effect(self, *, own: bool) -> None:
        """Raise InputError for exemplars without a number per class, and for options without effect.

        All images of the user's ``own`` are taken if there is no number.
        """
        if self.per_class is not None and self.exemplars in DETERMINED and self.seed:
            raise InputError(f"choice has no effect with --data.exemplars {self.exemplars}: remove it")
        takes_all = own and self.count is None
        if self.exemplars != "first" and self.per_class is None and not takes_all:
            raise InputError(
                f"exemplars {self.exemplars} need --data.per_class, the number of images per class; or set"
                " --data.exemplars first"
            )

    def of(self, images: ImageSet, classes: Sequence[str], source: str, *, own: bool) -> Tensor:
        """Their indices.

        Args:
            images: the data set.
            classes: the names of its classes, empty without labels.
            source: where the images come from, for messages.
            own: whether they are the user's own.

        Raises:
            InputError: if there are fewer, or no labels where they are needed.
        """
        if not classes and (self.per_class is not None or (own and self.exemplars != "first")):
            needs = "per_class needs" if self.per_class is not None else f"exemplars {self.exemplars} need"
            raise InputError(
                f"{needs} labels, but the images in {source} have none: put those of each class into a"
                " sub-folder of --data.root"
            )
        if self.per_class is not None:
            return choose_exemplars(images, self.exemplars, self.per_class, source, self.seed)
        if own and self.count is None:
            return torch.arange(len(images))
        _require_count(self.count, len(images), source)
        order = torch.randperm(len(images), generator=generator_for(self.seed, Purpose.TARGET_CHOICE))
        return order[: COUNT if self.count is None else self.count]


def generated_targets(name: str, count: int | None, reading: Reading, seed: int) -> Tensor:
    """The images [n, C, size, size] uint8 of a source without files: ``fractaldb`` or ``photographs``.

    Raises:
        InputError: if there are fewer than ``count``.
    """
    if name == "fractaldb":
        images = fractaldb_images(COUNT if count is None else count, reading.size, seed)
    else:
        images = photographs(reading.size)
        _require_count(count, len(images), name)
        images = images[:count]
    channels = resolve_channels(reading.channels, [images.shape[1] == 3] * len(images))
    return ImageSet(images).with_channels(channels).images


def _require_count(count: int | None, available: int, source: str) -> None:
    if count is not None and count > available:
        raise InputError(f"count must be <= {available}, the number of images in {source}, got {count}")
