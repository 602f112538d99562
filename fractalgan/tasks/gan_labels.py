"""Which class each fractal of a conditional FractalGAN belongs to, and its prototype of that class."""

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding, Labels, choose_prototypes
from fractalgan.tasks.protocols import LabeledImages, require_classes


def shared_out(num_fractals: int, data: object, conditional: str) -> Labels:
    """Labels that share fractals out to the classes of the data evenly, one class after the other.

    With 100 fractals and ten classes, each row of a grid is a class.

    Args:
        num_fractals: J, at least the number of classes.
        data: the trainer's data module.
        conditional: how labels are used, for the message.

    Raises:
        InputError: for data without labels, and for fewer fractals than classes.
    """
    needs = f"conditional {conditional} needs"
    if not isinstance(data, LabeledImages):
        raise InputError(f"{needs} labeled images: use --data fractalgan.ImageData")
    require_classes(data, needs, "set --model.conditional null")
    number = len(data.classes)
    if num_fractals < number:
        raise InputError(
            f"num_fractals must be >= {number}, the number of classes of {data.source}, got {num_fractals}"
        )
    return Labels(torch.arange(num_fractals) * number // num_fractals, tuple(data.classes))


def require_same_classes(data: object, classes: tuple[str, ...]) -> None:
    """Raise InputError if fractals were learned for ``classes``, and the data has others."""
    if classes and isinstance(data, LabeledImages) and tuple(data.classes) != classes:
        raise InputError(
            f"the fractals were learned for the classes {_listed(classes)}, but {data.source} has"
            f" {_listed(tuple(data.classes))}: use the data that they were learned from"
        )


def require_every_class(labels: Tensor, classes: tuple[str, ...]) -> None:
    """Raise InputError for the first class without an image among those that prototypes are chosen from."""
    for label, name in enumerate(classes):
        if not (labels == label).any():
            raise InputError(
                f"the class {name} has none of the first {len(labels)} training images: add images of it,"
                " or remove the class"
            )


def choose_for_classes(
    images: Tensor, labels: Tensor | None, embedding: FractalEmbedding, seed: int
) -> Tensor:
    """Prototypes [J, C, H, W]: of the class of their fractal, by k-means within the class; or of all images.

    Args:
        images: [n, C, H, W] on the CPU.
        labels: their classes [n]; not used for fractals without labels.
        embedding: J fractals.
        seed: random seed of the clustering.
    """
    if embedding.labels is None or labels is None:
        return choose_prototypes(images, len(embedding), seed)
    chosen = images.new_empty(len(embedding), *images.shape[1:])
    for label in range(len(embedding.classes)):
        of_class = embedding.labels.cpu() == label
        chosen[of_class] = choose_prototypes(images[labels == label], int(of_class.sum()), seed)
    return chosen


def _listed(classes: tuple[str, ...]) -> str:
    """ "0, 1, 2" or, for many, "0, 1, 2, ... (10)"."""
    return ", ".join(classes) if len(classes) <= 3 else f"{', '.join(classes[:3])}, ... ({len(classes)})"
