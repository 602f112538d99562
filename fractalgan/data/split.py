"""How a data set without test or validation images is split. Every seed of a run has the same split."""

from collections import Counter

import torch
from torch import Tensor

from fractalgan.data.image_set import ImageSet
from fractalgan.randomness import generator_for

SEED = 2303
FEWEST = 3  # images of a class of which one is kept apart


def split_at_random(images: ImageSet, share: float) -> tuple[ImageSet, ImageSet]:
    """Keep a share of the images, at least two, apart.

    Args:
        images: of any classes.
        share: fraction of the images.

    Returns:
        The rest, and the share.
    """
    return _parts(images, _random_order(len(images)), max(2, round(share * len(images))))


def split_by_class(images: ImageSet, share: float) -> tuple[ImageSet, ImageSet]:
    """Keep a share of each class apart: at least one image of a class of three, and two images in all.

    Without labels, it is the split of :func:`split_at_random`.

    Args:
        images: with labels, or -1 for none.
        share: fraction of the images.

    Returns:
        The rest, and the share.
    """
    classes = sum(count >= FEWEST for count in Counter(images.labels.tolist()).values())
    count = max(2, classes, round(share * len(images)))
    return _parts(images, _order_by_class(images.labels), count)


def _random_order(count: int) -> Tensor:
    return torch.randperm(count, generator=generator_for(SEED))


def _order_by_class(labels: Tensor) -> Tensor:
    """A random order that starts with an image of each class, and goes on with the classes in proportion."""
    order = _random_order(len(labels))
    places = torch.empty(len(labels))
    for label in set(labels.tolist()):
        own = order[labels[order] == label]
        first = 0 if len(own) >= FEWEST else 0.5
        places[own] = (torch.arange(len(own)) + first) / len(own)
    return order[places[order].argsort(stable=True)]


def _parts(images: ImageSet, order: Tensor, count: int) -> tuple[ImageSet, ImageSet]:
    return images.select(order[count:]), images.select(order[:count])
