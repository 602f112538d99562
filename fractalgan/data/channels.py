"""Whether images are read in grayscale or in color."""

import logging
from collections.abc import Sequence
from typing import Literal

from fractalgan.errors import InputError

log = logging.getLogger(__name__)

Channels = Literal[1, 3, "auto"]


def require_channels(channels: Channels) -> None:
    """Raise InputError unless ``channels`` is 1, 3 or ``auto``."""
    if channels not in (1, 3, "auto") or isinstance(channels, bool):
        raise InputError(f"channels must be 1, 3 or auto, got {channels!r}")


def resolve_channels(channels: Channels, colored: Sequence[bool]) -> int:
    """1 or 3, given which of the images are in color; logs what becomes of a set that has both.

    ``auto`` is 3 if at least half of the images are in color.
    """
    count, number = sum(colored), len(colored)
    resolved = channels if channels != "auto" else 3 if 2 * count >= number else 1
    which = "the image is" if number == 1 else f"{count} of {number} images are"
    if resolved == 1 and count:
        log.info("%s in color: converted to grayscale (set --data.channels 3 for color)", which)
    elif resolved == 3 and 0 < count < number:
        log.info("%s in color, the others in grayscale (set --data.channels 1 for grayscale)", which)
    return resolved


def require_grayscale(channels: int, source: str, **options: object) -> None:
    """Raise InputError for the first option that is set, but needs images in grayscale."""
    for name, value in options.items():
        if channels == 3 and value is not None and value is not False:
            raise InputError(
                f"{name} needs images in grayscale, but those of {source} are in color:"
                f" set --data.channels 1, or --data.{name} to {'null' if name == 'binarize' else 'false'}"
            )
