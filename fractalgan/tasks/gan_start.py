"""The initial fractals of FractalGAN: random, or collages of real images that are chosen without labels."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from pytorch_lightning import Trainer
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from fractalgan.errors import InputError, as_input_error
from fractalgan.nn import FractalEmbedding, collage_fractals, pyramid
from fractalgan.ops import Procedure, Transforms, random_fractals
from fractalgan.randomness import Purpose, generator_for
from fractalgan.tasks.protocols import LabelledImages, datamodule_of
from fractalgan.tasks.reconstruction_options import COLLAGE

MAX_IMAGES = 10_000  # that are clustered


def representative_images(images: Tensor, count: int, seed: int) -> Tensor:
    """``count`` images [count, 1, H, W] that stand for all: those nearest to the centers of k-means clusters.

    Args:
        images: [n, 1, H, W]; where n <= count, all are taken, in turn.
        count: number of images.
        seed: random seed of the clustering.
    """
    if len(images) <= count:
        return images[torch.arange(count) % len(images)]
    features = pyramid(images)
    clusters = MiniBatchKMeans(count, batch_size=1024, n_init=1, random_state=seed).fit(features.numpy())
    distances = torch.cdist(torch.from_numpy(clusters.cluster_centers_), features)
    return images[distances.argmin(1)]


def random_embedding(options: Mapping[str, Any]) -> FractalEmbedding:
    """Random fractals; those that hold the place of collages until there are images.

    Args:
        options: the hyperparameters of FractalGAN.

    Raises:
        InputError: where the procedure finds none.
    """
    start = options["start"]
    procedure: Procedure = start if start in get_args(Procedure) else "anderson-farrell"
    random = generator_for(options["seed"], Purpose.GAN_INITIAL)
    with as_input_error(f"start {start}"):
        drawn = random_fractals(procedure, options["num_fractals"], options["num_transforms"], random)
    return _embedding(drawn, options)


def load_collages_(embedding: FractalEmbedding, options: Mapping[str, Any], trainer: Trainer) -> None:
    """Replace the fractals by collages of training images that stand for all.

    Args:
        embedding: the fractals.
        options: the hyperparameters of FractalGAN.
        trainer: whose data module has the images. Its rank 0 searches for the collages.

    Raises:
        InputError: where there are no training images.
    """
    data = datamodule_of(trainer)
    if not isinstance(data, LabelledImages) or data.train_images is None:
        raise InputError(f"start {COLLAGE} needs training images: use --data fractalgan.ImageData")
    state: dict[str, Any] = {}
    if trainer.is_global_zero:
        images, _ = data.train_images[:MAX_IMAGES]
        number, seed = options["num_fractals"], options["seed"]
        chosen = representative_images(images, number, seed)
        view = options["num_transforms"], options["window"]
        found = collage_fractals(chosen, range(number), 1, *view, seed)
        state = _embedding(found, options).state_dict()
    embedding.load_state_dict(trainer.strategy.broadcast(state))


def _embedding(transforms: Transforms, options: Mapping[str, Any]) -> FractalEmbedding:
    return FractalEmbedding(transforms, options["matrices"], (options["sigma_min"], options["sigma_max"]))
