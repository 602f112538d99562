"""The classes of fractals that carry labels."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


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
