"""Fractals that are not learned, for pre-training: random ones, and one that is perturbed."""

from collections.abc import Callable
from typing import NamedTuple

from fractalgan.errors import InputError, as_input_error, require_above, require_at_most
from fractalgan.limits import require_sizes, require_transforms
from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import (
    Features,
    Procedure,
    Transforms,
    fill_window,
    perturbed_fractals,
    random_features,
    random_fractals,
)
from fractalgan.randomness import Purpose, generator_for

NUM_TRANSFORMS, PERTURBED_TRANSFORMS = 10, 2  # as in the paper, and in 1p-frac
PERTURBATION = 0.1  # as in 1p-frac

# How random fractals are drawn by default, at 32 x 32 pixels: as good for pre-training as any way that was
# tried, by Fashion-MNIST's validation images (docs/figure5/README.md).
JITTER = 0.15
VIEW = {"num_points": 300, "window": 1.5, "tau": 1.0}
PERTURBED_JITTER = 0.02  # a larger one would make the classes overlap
SPAN = 0.95  # share of the window that a perturbed fractal fills


class Sampling(NamedTuple):
    """How fractals are sampled.

    Args:
        number: J.
        num_transforms: N; None is 10, or 2 for one that is perturbed.
        start: how they are sampled.
        features: K, numbers that each transform carries.
        seed: random seed.
        perturbation: largest relative change of an entry of A and b, for one that is perturbed; None is 0.1.
    """

    number: int
    num_transforms: int | None
    start: Procedure
    features: int
    seed: int
    perturbation: float | None = None


def random_generator(sampling: Sampling) -> FractalGenerator:
    """Random fractals, with random gray levels or colors.

    Raises:
        InputError: for sizes out of range, and if the procedure cannot sample such fractals.
    """
    if sampling.perturbation is not None:
        raise InputError(
            "--data.perturbation has no effect on random fractals:"
            " remove it, or set --model.fractals perturbed"
        )
    N = _require_sizes(sampling, NUM_TRANSFORMS)
    random = generator_for(sampling.seed, Purpose.PSEUDO_CLASS_FRACTALS)
    with as_input_error(f"start {sampling.start}"):
        transforms = random_fractals(sampling.start, sampling.number, N, random)
    return _drawn(transforms, random_features(transforms.b, sampling.features, random), JITTER)


def perturbed_generator(sampling: Sampling) -> FractalGenerator:
    """One random fractal, perturbed; all have its gray levels or colors, and fill the window.

    Raises:
        InputError: for sizes or a perturbation out of range, and if there are no such fractals.
    """
    N = _require_sizes(sampling, PERTURBED_TRANSFORMS)
    perturbation = PERTURBATION if sampling.perturbation is None else sampling.perturbation
    require_above(0, perturbation=perturbation)
    require_at_most(1, perturbation=perturbation)
    random = generator_for(sampling.seed, Purpose.PSEUDO_CLASS_FRACTALS)
    with as_input_error(f"start {sampling.start}"):
        transforms = perturbed_fractals(sampling.start, sampling.number, N, perturbation, random)
    transforms = fill_window(transforms, SPAN * VIEW["window"], random)
    of_one = random_features(transforms.b[:1], sampling.features, random)
    features = Features(*(each.expand(sampling.number, *each.shape[1:]).clone() for each in of_one))
    return _drawn(transforms, features, PERTURBED_JITTER)


# Fractals that are sampled, by the name of their source. A new procedure is one line.
SYNTHETIC: dict[str, Callable[[Sampling], FractalGenerator]] = {
    "random": random_generator,
    "perturbed": perturbed_generator,
}


def _require_sizes(sampling: Sampling, default: int) -> int:
    """The number N of transforms, checked."""
    N = default if sampling.num_transforms is None else sampling.num_transforms
    require_sizes(num_transforms=N)
    require_transforms(sampling.number, N)
    return N


def _drawn(transforms: Transforms, features: Features, jitter: float) -> FractalGenerator:
    embedding = FractalEmbedding(transforms, "raw", features=features)
    return FractalGenerator(embedding, **VIEW, jitter=jitter)  # type: ignore[arg-type]
