"""The real images of an experiment, which each process reads once."""

import json
from copy import copy
from functools import cache
from typing import Any

from fractalgan.data import ImageData
from fractalgan.randomness import Purpose, generator_for
from fractalgan.tasks.probe import labeled_indices


def real_images(**arguments: Any) -> ImageData:
    """Real images, set up. Equal arguments of ImageData yield the same object.

    Raises:
        InputError: for invalid arguments, and for images that cannot be read.
    """
    return _read(json.dumps(arguments, sort_keys=True))


@cache
def _read(arguments: str) -> ImageData:
    images = ImageData(**json.loads(arguments))
    images.prepare_data()
    images.setup()
    return images


def in_batches(images: ImageData, batch_size: int, seed: int) -> ImageData:
    """The same images, not read again, in batches of another size, and in an order that follows the seed."""
    batches = copy(images)
    batches.batch_size, batches.seed = batch_size, seed
    return batches


def few_labels(images: ImageData, per_class: int | None, batch_size: int, seed: int) -> ImageData:
    """The same images in batches, of which so many of each class are trained on: those of a LinearProbe."""
    batches = in_batches(images, batch_size, seed)
    assert images.train_images is not None
    random = generator_for(seed, Purpose.PROBE_LABELS)
    chosen = labeled_indices(images.train_images.labels, per_class, random)
    batches.train_images = images.train_images if per_class is None else images.train_images.select(chosen)
    return batches
