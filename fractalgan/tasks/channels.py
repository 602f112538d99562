"""Which features fractals need for images in grayscale or color."""

from collections.abc import MutableMapping
from typing import Any

from fractalgan.errors import InputError, require_image_kind
from fractalgan.tasks.protocols import training_images


def channels_of(data: object) -> int | None:
    """The channels of the images of a data module; None if it has none that are known."""
    images = training_images(data, at_most=1)
    return None if images is None else images.shape[1]


def require_levels(data: object, features: int) -> None:
    """Raise InputError if fractals are to have gray levels, but images of ``data`` are black and white."""
    images = training_images(data, at_most=100) if features == 1 else None
    if images is not None and ((images == 0) | (images == 1)).all():
        raise InputError("features 1 has no effect on black and white images: set --data.binarize null")


def match_channels(
    options: MutableMapping[str, Any], channels: int, source: str, remedy: str | None = None
) -> bool:
    """Let a network's option ``channels`` follow its images; whether this makes another network of it.

    Args:
        options: the hyperparameters of a task.
        channels: 1 for images in grayscale, 3 for color.
        source: where the images come from.
        remedy: what the user can do; by default, set --data.channels.

    Raises:
        InputError: if the network is for the other kind.
    """
    known = options["channels"]
    if known is not None:
        remedy = remedy or f"set --data.channels {known}"
        reason = "the network was made for"
        require_image_kind(channels, source, expected=known, reason=reason, remedy=remedy)
    options["channels"] = channels
    return known is None and channels != 1
