"""How images are held out for validation and testing."""

from collections import Counter
from collections.abc import Callable

import pytest
import torch

from fractalgan.data.image_set import UNLABELED, ImageSet
from fractalgan.data.split import random_split, stratified_split


def numbered(*sizes: int) -> ImageSet:
    """Classes of these sizes; each image is a single pixel, its own number."""
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return ImageSet(torch.arange(sum(sizes), dtype=torch.uint8)[:, None, None, None], labels)


def counts(images: ImageSet, classes: int) -> list[int]:
    found = Counter(images.labels.tolist())
    return [found[label] for label in range(classes)]


@pytest.mark.parametrize(
    ("sizes", "share", "kept"),
    [
        ((10,) * 5, 0.1, [1] * 5),  # ten images of each class: one of each
        ((9,) * 5, 0.1, [1] * 5),
        ((100, 20), 0.1, [10, 2]),  # in proportion
        ((200, 3), 0.1, [19, 1]),  # a small class, too
        ((40, 2, 1), 0.1, [4, 0, 0]),  # but not too small a one
        ((5,), 0.1, [2]),  # two in all
        ((4, 1), 0.1, [2, 0]),
    ],
)
def test_share_of_each_class_is_kept_apart(sizes: tuple[int, ...], share: float, kept: list[int]) -> None:
    images = numbered(*sizes)
    rest, apart = stratified_split(images, share)
    assert counts(apart, len(sizes)) == kept
    together = [*rest.images.flatten().tolist(), *apart.images.flatten().tolist()]
    assert sorted(together) == list(range(sum(sizes)))


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_images_without_labels_are_random_split_and_always_so(split: Callable) -> None:
    images = ImageSet(numbered(50).images)
    assert set(images.labels.tolist()) == {UNLABELED}
    rest, apart = split(images, 0.1)
    expected_rest, expected = random_split(images, 0.1)
    assert torch.equal(apart.images, expected.images)
    assert torch.equal(rest.images, expected_rest.images)
    assert len(apart) == 5
    assert apart.images.flatten().tolist() != sorted(apart.images.flatten().tolist())
