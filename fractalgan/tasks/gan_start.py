"""Before the first step of FractalGAN: the initial fractals, and what is adapted to the real images."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from fractalgan.errors import as_input_error
from fractalgan.nn import (
    FractalEmbedding,
    FractalGenerator,
    assigned_prototypes,
    choose_prototypes,
    collage_fractals,
    tau_to_cover,
)
from fractalgan.ops import Procedure, Transforms, random_fractals
from fractalgan.randomness import Purpose, generator_for
from fractalgan.tasks.reconstruction_options import COLLAGE

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
    """The tau with which as many points cover the bright area of real images [n, 1, H, W] three times."""
    return tau_to_cover(images.mean().item() * images[0].numel(), num_points, COVERAGE)


@torch.no_grad()
def choose_prototypes_for_(
    generator: FractalGenerator, options: Mapping[str, Any], images: Tensor, *, collages: bool
) -> Tensor:
    """Choose a prototype for each fractal; with start collage, replace the fractals by collages of them.

    Args:
        generator: the fractals.
        options: the hyperparameters of FractalGAN.
        images: real images [n, 1, H, W] in [0, 1], on the CPU.
        collages: whether fractals may be replaced: they have not been trained yet.

    Returns:
        The prototypes [J, 1, H, W], uint8 in [0, 255], in the order of the fractals.
    """
    number, seed = options["num_fractals"], options["seed"]
    chosen = choose_prototypes(images, number, seed)
    if collages and options["start"] == COLLAGE:
        view = options["num_transforms"], options["window"]
        found = collage_fractals(chosen, range(number), 1, *view, seed)
        generator.embedding.load_state_dict(_embedding(found, options).state_dict())
    else:
        random = generator_for(seed, Purpose.GALLERY)
        fractals = torch.arange(number, device=generator.embedding.b.device)
        drawn = generator(fractals, generator.draw_sequences(fractals, random))
        chosen = assigned_prototypes(drawn.cpu().to(chosen), chosen)
    return (255 * chosen).round().to(torch.uint8)


def _embedding(transforms: Transforms, options: Mapping[str, Any]) -> FractalEmbedding:
    return FractalEmbedding(transforms, options["matrices"], (options["sigma_min"], options["sigma_max"]))
