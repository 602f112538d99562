"""Which options of FractalGAN are valid."""

from collections.abc import Mapping
from typing import Any, Literal

from fractalgan.errors import (
    require_above,
    require_at_least,
    require_betas,
    require_choice,
    require_sigma_range,
)
from fractalgan.limits import require_sizes, require_transforms
from fractalgan.nn import Conditional, LossName, MatricesForm, ProbabilityRule, require_lenet_size
from fractalgan.ops import Procedure, SequenceKind
from fractalgan.tasks.feature_options import check_features
from fractalgan.tasks.schedules import Schedule

# Optimizers that take a learning rate and two betas, and have no weight decay by default.
OptimizerName = Literal["Adam", "NAdam", "RAdam"]

# Of the fractals: the last moves only those that a step draws.
GeneratorOptimizerName = Literal["Adam", "NAdam", "RAdam", "SparseAdam"]

# A procedure for random fractals, or collages of real images.
GANStart = Literal[Procedure, "collage"]

CHOICES = {
    "start": GANStart,
    "matrices": MatricesForm,
    "probabilities": ProbabilityRule,
    "sequences": SequenceKind,
    "loss": LossName,
    "generator_schedule": Schedule,
    "generator_optimizer": GeneratorOptimizerName,
    "discriminator_optimizer": OptimizerName,
}


def check_options(options: Mapping[str, Any]) -> None:
    """Raise InputError for the first of a FractalGAN's hyperparameters that is out of range."""
    require_sizes(**{name: options[name] for name in ("num_fractals", "num_transforms")})
    require_lenet_size(options["image_size"])
    require_sizes(image_size=options["image_size"])
    require_transforms(options["num_fractals"], options["num_transforms"])
    for name, choice in CHOICES.items():
        require_choice(choice, **{name: options[name]})
    if options["conditional"] is not None:
        require_choice(Conditional, conditional=options["conditional"])
    require_at_least(1, **{name: options[name] for name in ("r1_interval", "parameter_noise_interval")})
    amounts = ("prototypes", "r1_gamma", "instance_noise", "parameter_noise")
    require_at_least(0, **{name: options[name] for name in amounts})
    require_above(0, **{name: options[name] for name in ("generator_lr", "discriminator_lr")})
    require_betas(**{name: options[name] for name in ("generator_betas", "discriminator_betas")})
    require_sigma_range(options["sigma_min"], options["sigma_max"])
    check_features(options)
