"""Before the first step of FractalGAN: the initial fractals, and what is adapted to the real images."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from fractalgan.errors import as_input_error
from fractalgan.nn import FractalEmbedding, FractalGenerator, collage_fractals, tau_to_cover
from fractalgan.ops import Procedure, Transforms, random_fractals
from fractalgan.randomness import Purpose, generator_for

COVERAGE = 3.0  # times that the points of an image cover the bright area of a real one


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


def covering_tau(images: Tensor, num_points: int) -> float:
    """The tau with which ``num_points`` points cover the bright area of images [..., H, W] three times."""
    area = images.mean().item() * images.shape[-2] * images.shape[-1]
    return tau_to_cover(area, num_points, COVERAGE)


def adapt_points_(generator: FractalGenerator, prototypes: Tensor) -> None:
    """Let the points of each fractal cover the bright area of its prototype three times.

    The multiples of the generator's tau are rounded to powers of the square root of 2: fractals with equal
    multiples are drawn together.

    Args:
        generator: draws J fractals.
        prototypes: [J, 1, H, W] in [0, 1].
    """
    wanted = [covering_tau(prototype, generator.num_points) for prototype in prototypes]
    halves = (2 * (torch.tensor(wanted) / generator.tau).log2()).round()
    generator.embedding.relative_tau = torch.exp2(halves / 2).to(generator.embedding.b)


def load_collages_(embedding: FractalEmbedding, options: Mapping[str, Any], prototypes: Tensor) -> None:
    """Replace the fractals by collages of their prototypes [J, 1, H, W] in [0, 1].

    Args:
        embedding: the fractals.
        options: the hyperparameters of FractalGAN.
        prototypes: on the CPU.
    """
    view = options["num_transforms"], options["window"]
    found = collage_fractals(prototypes, range(len(prototypes)), 1, *view, options["seed"])
    embedding.load_state_dict(_embedding(found, options).state_dict())


def _embedding(transforms: Transforms, options: Mapping[str, Any]) -> FractalEmbedding:
    return FractalEmbedding(transforms, options["matrices"], (options["sigma_min"], options["sigma_max"]))
