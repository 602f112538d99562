"""The images that fractals were learned from, as their files say, and whether any of them is held out now."""

import logging
from collections.abc import Mapping
from typing import Any

from fractalgan.errors import InputError

log = logging.getLogger(__name__)

SHARES = ("validation_share", "test_share")


def require_held_out(provenance: Mapping[str, Any], images: Mapping[str, Any], fractals: str) -> None:
    """Make sure that labeled fractals were not learned from the images that they are judged by.

    A warning is logged if the data set has grown or shrunk since, which changes the split of a folder.

    Args:
        provenance: of the fractals. Its ``data`` may have the ``name`` of a data set, the ``split`` and the
            number of ``images`` in all splits, ``validation_share`` and ``test_share``.
        images: the same of the data set with the images for validation and test.
        fractals: where the fractals come from.

    Raises:
        InputError: if they were learned from validation or test images, or from a larger training set.
    """
    learned = provenance.get("data")
    if not isinstance(learned, Mapping) or learned.get("name") != images["name"]:
        return
    split = learned.get("split", "train")
    if split != "train":
        raise InputError(
            f"the fractals of {fractals} were learned from the {split} images of {images['name']}, which they"
            " would be judged by: learn others with --data.split train"
        )
    for share in SHARES:
        if learned.get(share, images[share]) != images[share]:
            raise InputError(
                f"the fractals of {fractals} were learned with --data.{share} {learned[share]}, so some of"
                f" their images would be held out now: set --data.{share} {learned[share]}"
            )
    before, now = learned.get("images", images["images"]), images["images"]
    if before != now:
        log.warning(
            "%s has %s images, and had %s when the fractals of %s were learned: if it is the same data set,"
            " some that they were learned from may be held out now; learn them again",
            images["name"], now, before, fractals,
        )  # fmt: skip
