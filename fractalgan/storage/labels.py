"""The classes of fractals that carry labels."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from fractalgan.errors import InputError

log = logging.getLogger(__name__)

MAX_NAMES = 3  # of classes, in a message


class Labels(NamedTuple):
    """The class of each fractal, and the names of the classes."""

    values: Tensor  # [J] int64, each an index of classes
    classes: tuple[str, ...]


def check_labels(values: Tensor, classes: Sequence[str], num_fractals: int) -> None:
    """Raise ValueError unless there is a class for each fractal."""
    if values.shape != (num_fractals,) or values.is_floating_point() or values.is_complex():
        raise ValueError("labels must be integers of the shape [num_fractals]")
    if not all(type(each) is str for each in classes):
        raise ValueError("classes must be a list of names")
    if ((values < 0) | (values >= len(classes))).any():
        raise ValueError(f"labels must be in 0 to {len(classes) - 1}, the number of classes less one")


def require_labels(labels: Tensor | None, source: str) -> None:
    """Raise InputError for the fractals of a source without labels."""
    if labels is None:
        raise InputError(
            f"the fractals of {source} have no labels: learn some with fit --config labeled_fractals.yaml"
        )


def require_trainable(labels: Tensor | None, classes: Sequence[str], source: str) -> None:
    """Make sure that a network can learn the classes of labeled fractals; log a warning if some have none.

    Args:
        labels: [J], of the fractals.
        classes: the names of all classes.
        source: where the fractals come from.

    Raises:
        InputError: for fractals without labels, or of less than two classes.
    """
    require_labels(labels, source)
    assert labels is not None
    if len(classes) < 2:
        raise InputError(
            f"the fractals of {source} have one class, and a classifier needs two: learn them from images of"
            " two classes or more"
        )
    missing = [name for label, name in enumerate(classes) if not (labels == label).any()]
    if missing:
        message = "no fractals of %s have the classes %s: a network cannot learn these from them"
        log.warning(message, source, _listed(missing))


def require_same_classes(
    of_fractals: Sequence[str], of_images: Sequence[str], fractals: str, images: str
) -> None:
    """Raise InputError unless the classes of fractals are those of real images.

    Args:
        of_fractals: names of classes.
        of_images: names of classes.
        fractals: where the fractals come from.
        images: where the images come from.
    """
    if not of_images:
        raise InputError(
            f"the images in {images} have no labels: put those of each class into a sub-folder of --data.root"
        )
    if list(of_fractals) != list(of_images):
        raise InputError(
            f"the classes of the fractals of {fractals} are {_listed(of_fractals)}, but those of {images} are"
            f" {_listed(of_images)}: set --data.name, and --data.root for a folder, to the data set that the"
            " fractals were learned from"
        )


def _listed(classes: Sequence[str]) -> str:
    """The number of classes, and the first of their names: ``10 (0, 1, 2, ...)``."""
    if not classes:
        return "none"
    names = ", ".join(classes[:MAX_NAMES]) + (", ..." if len(classes) > MAX_NAMES else "")
    return f"{len(classes)} ({names})"
