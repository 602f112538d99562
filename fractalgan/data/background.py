"""Whether images are drawn on a bright background, and which background transparent pictures get.

Fractals are drawn bright on dark, so images with a bright background have to be inverted.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageColor
from torch import Tensor

from fractalgan.data.image_set import Threshold
from fractalgan.errors import InputError
from fractalgan.nn import outline

log = logging.getLogger(__name__)

Invert = bool | Literal["auto"]

# The visible part of a transparent picture is light above this mean luminance. At one half, its contrast
# with the background, black for light shapes and white for others, is always one half or more.
LIGHT = 0.5

# Mean levels beyond which training is likely to fail.
BRIGHT_MEAN, BLACK_MEAN = 0.6, 0.005


def have_bright_background(images: Tensor) -> Tensor:
    """For each of ``images`` [n, 1, H, W] uint8, whether more than half of its outline is bright.

    The outline is one pixel wide; bright is above mid-gray. Shape [n] bool.
    """
    return outline(images).flatten(1).gt(127).float().mean(1).gt(0.5)


def is_majority(flags: Tensor) -> bool:
    """Whether more than half of ``flags`` [n] bool are true."""
    return bool(flags.float().mean() > 0.5)


def require_invert(invert: Invert) -> None:
    """Raise InputError unless ``invert`` is true, false or ``auto``."""
    if not isinstance(invert, bool) and invert != "auto":
        raise InputError(f"invert must be true, false or auto, got {invert!r}")


def require_background(background: str | None, data_set: str | None) -> None:
    """Raise InputError unless ``background`` is null, or a color's name or code for the user's own pictures.

    Args:
        background: the option.
        data_set: the name of the data set; None for the user's own pictures.
    """
    if background is None:
        return
    try:
        ImageColor.getrgb(background)
    except ValueError as error:
        raise InputError(
            f"background must be a color such as white, '#ff8000' or 'rgb(255,128,0)', got {background!r}"
        ) from error
    if data_set is not None:
        raise InputError(f"--data.background has no effect with --data.name {data_set}")


def resolve_invert(invert: Invert, bright_background: bool) -> bool:
    """Whether to invert images; logs the decision if ``auto`` inverts them."""
    if invert != "auto":
        return invert
    if bright_background:
        log.info(
            "--data.invert auto: the images have a bright background, so they are inverted"
            " (set --data.invert false to keep them)"
        )
    return bright_background


def require_contrast(images: Tensor, prepare: Threshold, folder: Path) -> None:
    """Raise InputError if every image has a single color, before or after it is prepared.

    Args:
        images: [n, C, H, W] uint8.
        prepare: how they are prepared.
        folder: where the images come from.
    """
    levels = torch.stack([images.amin((2, 3)), images.amax((2, 3))])
    prepared = prepare(levels.float() / 255)
    if levels[0].equal(levels[1]):
        raise InputError(f"all {len(images)} images in {folder} have a single color: choose other images")
    if prepared[0].equal(prepared[1]):
        raise InputError(
            f"all {len(images)} images in {folder} have a single color after --data.binarize"
            f" {prepare.binarize}: set another threshold or null, or another --data.invert"
        )


def warn_of_brightness(images: Tensor, prepare: Threshold) -> None:
    """Warn of prepared images in grayscale, in [0, 1], that are mostly bright or nearly black."""
    if images.shape[1] == 3:  # these are learned with their background
        return
    mean = images.mean().item()
    if mean > BRIGHT_MEAN:
        log.warning(
            "the images are mostly bright (mean %.2f), but fractals are drawn bright on dark:"
            " set --data.invert %s",
            mean,
            str(not prepare.invert).lower(),
        )
    if mean < BLACK_MEAN:
        remedy = "check the files" if prepare.binarize is None else "set a lower --data.binarize, or null"
        log.warning("the images are nearly black (mean %.3f): %s", mean, remedy)


def on_color(image: Image.Image, color: str) -> Image.Image:
    """A transparent picture on a background of this color."""
    background = Image.new("RGBA", image.size, (*ImageColor.getrgb(color)[:3], 255))
    return Image.alpha_composite(background, image.convert("RGBA")).convert("RGB")


def on_contrast(image: Image.Image) -> tuple[Image.Image, bool]:
    """A transparent picture on the background that it contrasts with: black if it is light, else white.

    Also returns whether its outline is mostly transparent, so that its background was free to choose.
    """
    image = image.convert("RGBA")
    alpha = np.asarray(image.getchannel("A")).astype(np.float64) / 255
    luminance = np.asarray(image.convert("L")).astype(np.float64) / 255
    visible = alpha.sum()
    light = visible > 0 and (alpha * luminance).sum() / visible > LIGHT
    solid = Image.alpha_composite(Image.new("RGBA", image.size, "black" if light else "white"), image)
    return solid, bool((outline(torch.from_numpy(alpha)) < 0.5).float().mean() > 0.5)


def with_one_background(images: Tensor, free: Tensor) -> Tensor:
    """``images`` [n, 1, H, W] uint8 with the negatives of those that differ from the majority's background.

    Light shapes on transparency were put on black and dark ones on white: in one set, all get the
    background that most of its images have. Others are not changed.

    Args:
        images: all images of a set.
        free: [n] bool, which of them have a background that is free to choose.
    """
    bright = have_bright_background(images)
    differ = free & (bright != is_majority(bright))
    if not differ.any():
        return images
    shapes, background = ("light", "bright") if is_majority(bright) else ("dark", "dark")
    log.info(
        "%d of %d images have %s shapes on a transparent background: inverted, as most backgrounds are %s",
        *(int(differ.sum()), len(images), shapes, background),
    )
    return torch.where(differ[:, None, None, None], 255 - images, images)


def require_variation(targets: Tensor, names: Sequence[str], prepare: Threshold) -> None:
    """Raise InputError for a target [C, H, W] of a single color: there is nothing to reconstruct."""
    contrast = (targets.amax((2, 3)) - targets.amin((2, 3))).amax(1)
    plain = (contrast < 1 / 255).nonzero().flatten().tolist()
    if plain:
        remedy = "" if prepare.binarize is None else ", or another --data.binarize"
        raise InputError(
            f"{names[plain[0]]} has a single color, so there is nothing to reconstruct:"
            f" choose another image{remedy}"
        )
