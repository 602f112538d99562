"""Which images of a source are reconstructed."""

import torch
from torch import Tensor

from fractalgan.data.channels import resolve_channels
from fractalgan.data.fractaldb import fractaldb_images
from fractalgan.data.image_set import ImageSet
from fractalgan.data.photographs import photographs
from fractalgan.data.pictures import Reading
from fractalgan.errors import InputError
from fractalgan.randomness import Purpose, generator_for

COUNT = 100  # targets, unless another number is asked for


def random_targets(images: ImageSet, source: str, count: int | None, seed: int) -> Tensor:
    """The indices of ``count`` random images of a data set.

    Raises:
        InputError: if there are fewer.
    """
    _require_count(count, len(images), source)
    order = torch.randperm(len(images), generator=generator_for(seed, Purpose.TARGET_CHOICE))
    return order[: COUNT if count is None else count]


def first_targets(images: ImageSet, source: str, per_class: int) -> Tensor:
    """The indices of the first ``per_class`` images of every class.

    Raises:
        InputError: if a class has fewer.
    """
    found = [(images.labels == label).nonzero().squeeze(1) for label in torch.unique(images.labels)]
    if (least := min(map(len, found))) < per_class:
        raise InputError(
            f"per_class must be <= {least}, the size of the smallest class in {source}, got {per_class}"
        )
    return torch.cat([each[:per_class] for each in found])


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
