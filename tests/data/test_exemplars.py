"""Exemplars: which images of a class stand for it."""

import pytest
import torch
from torch import Tensor

from fractalgan.data import ImageSet
from fractalgan.data.exemplars import Exemplars, choose_exemplars
from fractalgan.data.target_choice import TargetChoice
from fractalgan.errors import InputError

ALL: list[Exemplars] = ["first", "random", "medoids", "herding"]


def plain(levels: list[int], labels: list[int]) -> ImageSet:
    """Images of one gray level each."""
    images = torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    return ImageSet(images.contiguous(), torch.tensor(labels))


def clusters() -> ImageSet:
    """Two classes with three groups of images each, of 5, 3 and 1."""
    levels = [10, 11, 12, 13, 14, 100, 101, 102, 250]
    order = torch.randperm(18, generator=torch.Generator().manual_seed(3))
    both = plain([*levels, *(255 - each for each in levels)], [0] * 9 + [1] * 9)
    return both.select(order)


def levels_of(images: ImageSet, chosen: Tensor) -> list[int]:
    return images.images[chosen, 0, 0, 0].tolist()


@pytest.mark.parametrize("how", ALL)
def test_every_class_has_as_many_different_ones(how: Exemplars) -> None:
    images = clusters()
    chosen = choose_exemplars(images, how, 4, "data")
    assert images.labels[chosen].tolist() == [0] * 4 + [1] * 4
    assert len(set(chosen.tolist())) == 8
    assert choose_exemplars(images, how, 4, "data").equal(chosen)
    assert sorted(choose_exemplars(images, how, 9, "data").tolist()) == list(range(18))


def test_medoids_are_the_middle_of_each_group_the_largest_first() -> None:
    images = clusters()
    assert levels_of(images, choose_exemplars(images, "medoids", 3, "data")) == [
        *(12, 101, 250),
        *(243, 154, 5),
    ]


def test_copies_take_the_places_of_medoids_where_images_are_too_few() -> None:
    images = plain([10, 10, 10, 200, 200, 90], [0] * 6)
    chosen = choose_exemplars(images, "medoids", 5, "data")
    assert len(set(chosen.tolist())) == 5
    assert set(levels_of(images, chosen)) == {10, 90, 200}


def test_herding_keeps_the_mean() -> None:
    levels = [0, 40, 100, 110, 250]  # their mean is 100
    images = plain(levels, [0] * 5)
    # means of two: 105 with 110, 70 with 40; of three: 83 with 40, 153 with 250
    assert levels_of(images, choose_exemplars(images, "herding", 3, "data")) == [100, 110, 40]


def test_exemplars_of_all_own_images_need_labels() -> None:
    choice = TargetChoice(count=None, per_class=None, exemplars="medoids", seed=0)
    with pytest.raises(InputError, match="exemplars medoids need labels, but the images in pets have none"):
        choice.of(plain([1, 2, 3], [-1] * 3), [], "pets", own=True)


def test_first_and_random_ones() -> None:
    images = plain(list(range(20)), [0, 1] * 10)
    assert choose_exemplars(images, "first", 2, "data").tolist() == [0, 2, 1, 3]
    seeds = [choose_exemplars(images, "random", 5, "data", seed) for seed in (0, 1)]
    assert not seeds[0].equal(seeds[1])


def test_a_small_class_is_named() -> None:
    with pytest.raises(
        InputError, match="per_class must be <= 1, the size of the smallest class in the zoo, got 2"
    ):
        choose_exemplars(plain([1, 2, 3], [0, 0, 1]), "random", 2, "the zoo")
