"""Which features fractals need for images in grayscale or color."""

from collections.abc import MutableMapping
from typing import Any

from fractalgan.errors import IMAGE_KINDS, InputError
from fractalgan.tasks.protocols import training_images


def channels_of(data: object) -> int | None:
    """The channels of the images of a data module; None if it has none that are known."""
    images = training_images(data, at_most=1)
    return None if images is None else images.shape[1]


def match_channels(
    options: MutableMapping[str, Any], channels: int, source: str, remedy: str = "set --data.channels"
) -> bool:
    """Let a network's option ``channels`` follow its images; whether this makes another network of it.

    Args:
        options: the hyperparameters of a task.
        channels: 1 for images in grayscale, 3 for color.
        source: where the images come from.
        remedy: what the user can do about the number of channels that follows it.

    Raises:
        InputError: if the network is for the other kind.
    """
    known = options["channels"]
    if known not in (None, channels):
        raise InputError(
            f"the images of {source} are {IMAGE_KINDS[channels]}, but the network was made for images"
            f" {IMAGE_KINDS[known]}: {remedy} {known}"
        )
    options["channels"] = channels
    return known is None and channels != 1


def features_for(channels: int, features: int | None, source: str) -> int:
    """The features K of fractals that draw images with so many channels.

    Args:
        channels: 1 for images in grayscale, 3 for color.
        features: K, where it is known; None follows the images.
        source: where the images come from.

    Raises:
        InputError: for features that draw other images.
    """
    if features is None:
        return 3 if channels == 3 else 0
    drawn = max(1, features)
    if drawn != channels:
        raise InputError(
            f"the images of {source} are {IMAGE_KINDS[channels]}, but the fractals draw images"
            f" {IMAGE_KINDS[drawn]} (features {features}): set --data.channels {drawn}"
        )
    return features
