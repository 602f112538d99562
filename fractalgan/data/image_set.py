"""Images in memory: what every source delivers and every loader reads."""

from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import grayscale_to_rgb, resize, rgb_to_grayscale

UNLABELED = -1


class Threshold(NamedTuple):
    """Prepares images in [0, 1]: ``invert`` makes dark drawings bright, then ``binarize`` is a threshold."""

    binarize: float | None
    invert: bool

    def __call__(self, images: Tensor) -> Tensor:
        if self.invert:
            images = 1 - images
        return images if self.binarize is None else (images > self.binarize).float()


class ImageSet(Dataset[tuple[Tensor, Tensor]]):
    """Images [n, C, H, W] uint8 with labels [n] int64 (-1 for images without labels).

    An item, or a batch of items for a list or tensor of indices, is ``(images, labels)`` with images as
    float in [0, 1], after ``prepare``.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        prepare: Threshold | None = None,
    ) -> None:
        self.images = images
        self.prepare = prepare
        self.labels = torch.full((len(images),), UNLABELED) if labels is None else labels.long()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int | list[int] | Tensor) -> tuple[Tensor, Tensor]:
        images = self.images[index].float() / 255
        return (self.prepare(images) if self.prepare else images), self.labels[index]

    def select(self, indices: Tensor) -> Self:
        """The images at these indices, as a set of its own."""
        return type(self)(self.images[indices], self.labels[indices], self.prepare)

    def resized(self, size: int) -> Self:
        """All images as size x size, bicubic and antialiased."""
        if self.images.shape[-2:] == (size, size):
            return self
        chunks = [
            resize(chunk, [size, size], InterpolationMode.BICUBIC, antialias=True)
            for chunk in torch.split(self.images, 10_000)
        ]
        return type(self)(torch.cat(chunks), self.labels, self.prepare)

    def with_channels(self, channels: int) -> Self:
        """The images in color (3) or in grayscale (1)."""
        if self.images.shape[1] == channels:
            return self
        convert = grayscale_to_rgb if channels == 3 else rgb_to_grayscale
        return type(self)(convert(self.images), self.labels, self.prepare)


class Source(NamedTuple):
    """A data set as it comes: training images, test images if they are separate, and class names."""

    train: ImageSet
    test: ImageSet | None
    classes: list[str]  # empty for images without labels
    bright_background: bool = False  # the data sets known by name are bright on dark


def first_images(count: int, *sets: ImageSet) -> Tensor:
    """The first ``count`` images of the sets, one set after the other, or all if there are fewer."""
    images = []
    for each in sets:
        taken = min(count, len(each))
        images.append(each[torch.arange(taken)][0])
        count -= taken
    return torch.cat(images)
