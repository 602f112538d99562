"""How a data set without test or validation images is split. Every seed of a run has the same split."""

import torch
from torch import Tensor

from fractalgan.data.image_set import ImageSet
from fractalgan.randomness import generator_for

SHARE = 0.1  # default fraction of images that are held out for validation, or for testing
SEED = 2303
FEWEST = 3  # images of a class of which one is held out


def random_split(images: ImageSet, share: float) -> tuple[ImageSet, ImageSet]:
    """Hold out a share of the images, at least two.

    Args:
        images: of any classes.
        share: fraction of the images.

    Returns:
        The rest, and the share.
    """
    return _parts(images, _random_order(images), max(2, round(share * len(images))))


def stratified_split(images: ImageSet, share: float) -> tuple[ImageSet, ImageSet]:
    """Hold out a share of each class: at least one image of a class of three, and two images in all.

    Without labels, it is :func:`random_split`.

    Args:
        images: with labels, or -1 for none.
        share: fraction of the images.

    Returns:
        The rest, and the share.
    """
    order = _random_order(images)
    quantiles = _quantiles(images.labels[order])
    count = max(2, int((quantiles == 0).sum()), round(share * len(images)))
    return _parts(images, order[quantiles.argsort(stable=True)], count)


def _random_order(images: ImageSet) -> Tensor:
    return torch.randperm(len(images), generator=generator_for(SEED))


def _quantiles(labels: Tensor) -> Tensor:
    """The place [n] in [0, 1) of each image within its class; 0 for the first of a class of three or more."""
    quantiles = torch.empty(len(labels))
    for label in set(labels.tolist()):
        own = labels == label
        size = int(own.sum())
        first = 0 if size >= FEWEST else 0.5
        quantiles[own] = (torch.arange(size) + first) / size
    return quantiles


def _parts(images: ImageSet, order: Tensor, count: int) -> tuple[ImageSet, ImageSet]:
    return images.select(order[count:]), images.select(order[:count])
