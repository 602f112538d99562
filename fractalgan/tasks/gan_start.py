"""Before the first step of FractalGAN: the initial fractals, and what is adapted to the real images."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from fractalgan.errors import as_input_error
from fractalgan.nn import (
    POINTS_PER_TRANSFORM,
    FractalEmbedding,
    FractalGenerator,
    collage_fractals,
    covered_shapes,
    features_at,
    prototype_order,
    tau_to_cover,
)
from fractalgan.ops import Procedure, Transforms, random_features, random_fractals
from fractalgan.randomness import Purpose, generator_for
from fractalgan.tasks.feature_options import embedding_of

COVERAGE = 3.0  # times that the points of an image cover the bright area of a real one


def random_embedding(options: Mapping[str, Any]) -> FractalEmbedding:
    """Random fractals, with random colors if they have any; those of images may take their place.

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
    return embedding_of(drawn, random_features(drawn.b, options["features"] or 0, random), options)


def covering_tau(images: Tensor, num_points: int) -> float:
    """The tau with which ``num_points`` points cover the bright area of images [n, 1, H, W] three times."""
    area = images.mean().item() * images.shape[-2] * images.shape[-1]
    return tau_to_cover(area, num_points, COVERAGE)


def assign_prototypes(drawn: Tensor, prototypes: Tensor, generator: FractalGenerator) -> Tensor:
    """The prototypes [J, C, H, W] in the order of the fractals that draw the nearest shapes.

    Args:
        drawn: one image [J, C, H, W] of each fractal.
        prototypes: in any order, or in that of the classes of the fractals.
        generator: what drew the images.
    """
    number = generator.embedding.features.num_features
    masks = [covered_shapes(each, number) for each in (drawn.to(prototypes), prototypes)]
    labels = generator.embedding.labels
    return prototypes[prototype_order(masks[0], masks[1], None if labels is None else labels.cpu())]


def adopt_features_(generator: FractalGenerator, prototypes: Tensor, options: Mapping[str, Any]) -> None:
    """Give transforms the colors of the prototypes [J, C, H, W] where they draw, and their backgrounds."""
    embedding = generator.embedding
    count = embedding.num_fractals, POINTS_PER_TRANSFORM * embedding.num_transforms
    uniform = torch.rand(*count, generator=generator_for(options["seed"], Purpose.GAN_INITIAL))
    features = features_at(embedding(), prototypes, generator.window, uniform)
    transforms = Transforms(*(each.detach().cpu() for each in embedding()))
    adopted = embedding_of(transforms, features, options).features
    embedding.features.load_state_dict(adopted.state_dict())


def adapt_points_(generator: FractalGenerator, prototypes: Tensor) -> None:
    """Let the points of each fractal cover the bright area of its prototype three times.

    The multiples of the generator's tau are rounded to powers of the square root of 2: fractals with equal
    multiples are drawn together.

    Args:
        generator: draws J fractals.
        prototypes: [J, C, H, W] in [0, 1].
    """
    masks = covered_shapes(prototypes, generator.embedding.features.num_features)
    wanted = [covering_tau(mask, generator.num_points) for mask in masks]
    halves = (2 * (torch.tensor(wanted) / generator.tau).log2()).round()
    generator.embedding.relative_tau = torch.exp2(halves / 2).to(generator.embedding.b)


def load_collages_(generator: FractalGenerator, options: Mapping[str, Any], prototypes: Tensor) -> None:
    """Replace the transforms by collages of the fractals' prototypes [J, C, H, W] in [0, 1].

    Args:
        generator: draws the fractals.
        options: the hyperparameters of FractalGAN.
        prototypes: on the CPU.
    """
    masks = covered_shapes(prototypes, generator.embedding.features.num_features)
    view = options["num_transforms"], options["window"]
    found = collage_fractals(masks, range(len(masks)), 1, *view, options["seed"])
    embedding = generator.embedding
    collages = embedding_of(found, embedding.features(), options).state_dict()
    embedding.load_state_dict(embedding.state_dict() | collages)  # which have no labels
