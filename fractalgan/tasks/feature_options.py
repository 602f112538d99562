"""The options of tasks that say what transforms carry, and what of it is learned."""

from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import torch

from fractalgan.errors import InputError, require_features, require_image_kind
from fractalgan.nn import FeatureName, FractalEmbedding
from fractalgan.ops import Features, Transforms

Blend = float | Literal["learned"]


def check_features(options: Mapping[str, Any]) -> None:
    """Raise InputError for the first option of features that is out of range, or would have no effect."""
    features, blend, background = (options[name] for name in ("features", "blend", "background"))
    require_features(features)
    if blend != "learned" and not (isinstance(blend, int | float) and 0 <= blend <= 1):
        raise InputError(f"blend must be learned or in [0, 1], got {blend!r}")
    if background is not None and not all(0 <= level <= 1 for level in background):
        raise InputError(f"background must be numbers in [0, 1], got {background}")
    if features == 0:
        for name, unset in {"blend": 0, "background": None}.items():
            if options[name] != unset:
                raise InputError(f"{name} has no effect with features 0")
    elif features and background is not None and len(background) != features:
        raise InputError(f"background must have {features} numbers, got {background}")


def resolve_features(options: MutableMapping[str, Any], channels: int, source: str) -> None:
    """Let the option ``features`` follow images with so many channels, unless it is set.

    Args:
        options: the hyperparameters of a task.
        channels: 1 for images in grayscale, 3 for color.
        source: where the images come from.

    Raises:
        InputError: for features that draw other images, and as :func:`check_features`.
    """
    if options["features"] is None:
        options["features"] = 3 if channels == 3 else 0
    check_features(options)
    drawn = max(1, options["features"])
    require_image_kind(
        channels,
        source,
        expected=drawn,
        reason="the fractals draw",
        note=f" (features {options['features']})",
        remedy=f"set --data.channels {drawn} or, for new fractals, --model.features"
        f" {3 if channels == 3 else 0}",
    )


def embedding_of(transforms: Transforms, features: Features, options: Mapping[str, Any]) -> FractalEmbedding:
    """The fractals, with the blend and the background that the options give, or learned ones.

    Args:
        transforms: A [J, N, 2, 2] and b [J, N, 2].
        features: the initial ones.
        options: the hyperparameters of a task.
    """
    sigma_range = options["sigma_min"], options["sigma_max"]
    learned: list[FeatureName] = ["values"]
    if features.num_features:
        if options["blend"] == "learned":
            learned.append("blend")
        else:
            features = features._replace(blend=torch.full_like(features.blend, options["blend"]))
        if options["background"] is None:
            learned.append("background")
        else:
            given = torch.tensor(options["background"]).to(features.background)
            features = features._replace(background=given.expand_as(features.background))
    return FractalEmbedding(
        transforms, options["matrices"], sigma_range, features=features, learned_features=learned
    )
