"""Which options of Reconstruction go together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from fractalgan.errors import (
    InputError,
    as_input_error,
    require_above,
    require_at_least,
    require_choice,
    require_sigma_range,
)
from fractalgan.limits import require_sizes, require_transforms
from fractalgan.nn import MatricesForm, Objective, ProbabilityRule, require_halvings
from fractalgan.ops import Procedure, SequenceKind, check_view
from fractalgan.tasks.feature_options import check_features
from fractalgan.tasks.schedules import Schedule

NoisyPart = Literal["all", "matrices"]

COLLAGE = "collage"  # a start

CHOICES = {
    "objective": Objective,
    "matrices": MatricesForm,
    "probabilities": ProbabilityRule,
    "sequences": SequenceKind,
    "noise_on": NoisyPart,
    "schedule": Schedule,
}


def check_options(options: Mapping[str, Any]) -> None:
    """Raise InputError for the first of a Reconstruction's hyperparameters that is out of range."""
    number = 1 if options["num_targets"] is None else options["num_targets"]
    names = ("num_transforms", "num_points", "num_sequences", "image_size")
    require_sizes(num_targets=number, **{name: options[name] for name in names})
    require_at_least(1, **{name: options[name] for name in ("candidates", "noise_interval", "chunk")})
    require_transforms(number * options["candidates"], options["num_transforms"])
    require_at_least(0, noise=options["noise"], noise_share=options["noise_share"])
    require_above(0, coverage=1.0 if options["coverage"] is None else options["coverage"])
    require_above(0, lr=options["lr"], clip=1.0 if options["clip"] is None else options["clip"])
    require_sigma_range(options["sigma_min"], options["sigma_max"])
    for name, choice in CHOICES.items():
        require_choice(choice, **{name: options[name]})
    with as_input_error():
        for name in ("tau", "tau_start"):
            tau = 1.0 if options[name] is None else options[name]
            check_view((options["image_size"], options["image_size"]), options["window"], tau)
    check_features(options)
    _check_start(options["start"])
    _check_candidates(options)


def _check_start(start: str) -> None:
    if start not in (*get_args(Procedure), COLLAGE) and Path(start).suffix != ".ckpt":
        starts = ", ".join([*get_args(Procedure), COLLAGE])
        raise InputError(f"start must be one of {starts}, or the checkpoint of an encoder, got {start!r}")


def _check_candidates(options: Mapping[str, Any]) -> None:
    candidates, sequences = options["candidates"], options["num_sequences"]
    require_halvings(options["halvings"])
    if options["objective"] == "fixed" and candidates > 1:
        raise InputError(f"candidates must be 1 for objective fixed, got {candidates}")
    if candidates > sequences:
        raise InputError(f"candidates must be <= num_sequences, got {candidates} and {sequences}")
