"""Before the first step of FractalGAN: the initial fractals, and what is adapted to the real images."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from fractalgan.errors import as_input_error
from fractalgan.nn import (
    FractalEmbedding,
    FractalGenerator,
    backgrounds,
    collage_fractals,
    features_at,
    prototype_order,
    shapes,
    tau_to_cover,
)
from fractalgan.ops import Features, Procedure, Transforms, random_features, random_fractals
from fractalgan.randomness import Purpose, generator_for

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
    return _embedding(drawn, options, random_features(drawn.b, options["features"] or 0, random))


def covering_tau(images: Tensor, num_points: int) -> float:
    """The tau with which ``num_points`` points cover the bright area of images [n, 1, H, W] three times."""
    area = images.mean().item() * images.shape[-2] * images.shape[-1]
    return tau_to_cover(area, num_points, COVERAGE)


def covered_shapes(generator: FractalGenerator, images: Tensor) -> Tensor:
    """What the points of fractals cover of images [n, C, H, W], as masks [n, 1, H, W] in [0, 1].

    It is what is bright, or what stands out from the background if fractals have features.
    """
    return shapes(images, backgrounds(images)) if generator.embedding.features.number else images


def assign_prototypes(drawn: Tensor, prototypes: Tensor, generator: FractalGenerator) -> Tensor:
    """The prototypes [J, C, H, W] in the order of the fractals that draw the nearest shapes.

    Args:
        drawn: one image [J, C, H, W] of each fractal.
        prototypes: in any order.
        generator: what drew the images.
    """
    masks = (covered_shapes(generator, each) for each in (drawn.to(prototypes), prototypes))
    return prototypes[prototype_order(*masks)]


def adopt_features_(generator: FractalGenerator, prototypes: Tensor, seed: int) -> None:
    """Give transforms the colors of the prototypes [J, C, H, W] where they draw, and their backgrounds."""
    random = generator_for(seed, Purpose.GAN_INITIAL)
    features = features_at(generator.embedding(), prototypes, generator.window, random)
    generator.embedding.features.load_state_dict(features._asdict())


def adapt_points_(generator: FractalGenerator, prototypes: Tensor) -> None:
    """Let the points of each fractal cover the bright area of its prototype three times.

    The multiples of the generator's tau are rounded to powers of the square root of 2: fractals with equal
    multiples are drawn together.

    Args:
        generator: draws J fractals.
        prototypes: [J, C, H, W] in [0, 1].
    """
    masks = covered_shapes(generator, prototypes)
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
    masks, view = covered_shapes(generator, prototypes), (options["num_transforms"], options["window"])
    found = collage_fractals(masks, range(len(masks)), 1, *view, options["seed"])
    embedding = generator.embedding
    embedding.load_state_dict(_embedding(found, options, embedding.features()).state_dict())


def _embedding(transforms: Transforms, options: Mapping[str, Any], features: Features) -> FractalEmbedding:
    sigma_range = options["sigma_min"], options["sigma_max"]
    return FractalEmbedding(transforms, options["matrices"], sigma_range, features=features)
