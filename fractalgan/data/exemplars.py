"""Exemplars: a few images of each class that stand for all of it."""

import warnings
from typing import Literal

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from fractalgan.data.image_set import ImageSet
from fractalgan.errors import InputError
from fractalgan.nn.prototypes import SEEDS
from fractalgan.randomness import Purpose, generator_for

Exemplars = Literal["first", "random", "medoids", "herding"]


def choose_exemplars(images: ImageSet, how: Exemplars, per_class: int, source: str, seed: int = 0) -> Tensor:
    """The indices of ``per_class`` images of every class, class by class.

    Args:
        images: labeled ones.
        how: ``first`` takes the first images of each class; ``random``, random ones; ``medoids``, those
            nearest to the centers of k-means clusters of its pixels; ``herding``, those whose running mean
            stays nearest to that of the class (Welling 2009).
        per_class: number of exemplars per class.
        source: where the images come from, for the message.
        seed: random seed of random exemplars and of medoids.

    Returns:
        Indices [classes * per_class].

    Raises:
        InputError: if a class has fewer.
    """
    labels, sizes = torch.unique(images.labels, return_counts=True)
    if (smallest := int(sizes.min())) < per_class:
        raise InputError(
            f"per_class must be <= {smallest}, the size of the smallest class in {source}, got {per_class}"
        )
    chosen = []
    for label in labels.tolist():
        places = (images.labels == label).nonzero().squeeze(1)
        random = generator_for(seed, label, Purpose.EXEMPLARS)
        chosen.append(_choose(images, places, how, per_class, random))
    return torch.cat(chosen)


def _choose(images: ImageSet, places: Tensor, how: Exemplars, count: int, random: torch.Generator) -> Tensor:
    """``count`` of the places [n] of one class."""
    if how == "first":
        return places[:count]
    if how == "random":
        return places[torch.randperm(len(places), generator=random)[:count]]
    pixels = images[places][0].flatten(1).numpy()
    return places[_medoids(pixels, count, random) if how == "medoids" else _herding(pixels, count)]


def _medoids(pixels: np.ndarray, count: int, random: torch.Generator) -> list[int]:
    """The image of each cluster that is nearest to its center, those of large clusters first.

    Clusters are empty if there are fewer different images than clusters: then copies fill the places.
    """
    kmeans = KMeans(count, n_init=1, random_state=random.initial_seed() % SEEDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of empty clusters
        kmeans.fit(pixels)
    distances = np.square(pixels - kmeans.cluster_centers_[kmeans.labels_]).sum(1)
    members = [np.flatnonzero(kmeans.labels_ == cluster) for cluster in range(count)]
    members.sort(key=len, reverse=True)
    chosen = [int(each[distances[each].argmin()]) for each in members if len(each)]
    others = [int(each) for each in distances.argsort(kind="stable") if each not in chosen]
    return chosen + others[: count - len(chosen)]


def _herding(pixels: np.ndarray, count: int) -> list[int]:
    """Image k + 1 is the one that brings the mean of k + 1 nearest to the mean of the class."""
    chosen: list[int] = []
    mean, total = pixels.mean(0), np.zeros_like(pixels[0])
    for k in range(1, count + 1):
        distances = np.square(mean - (total + pixels) / k).sum(1)
        distances[chosen] = np.inf
        chosen.append(int(distances.argmin()))
        total += pixels[chosen[-1]]
    return chosen
