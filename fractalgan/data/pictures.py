"""Reading the user's picture files as grayscale images of one size."""

import logging
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.progress import track
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from fractalgan.data.background import (
    have_bright_background,
    is_majority,
    with_one_background,
    without_transparency,
)
from fractalgan.errors import InputError
from fractalgan.limits import MAX_PIXELS

log = logging.getLogger(__name__)

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # of the others, one runs PostScript

SPARE = 4  # times the requested size: a large image is reduced to no less before it is resized
LARGE = 4_000_000  # pixels
MANY = 2000  # files, which take long enough for a progress bar

REMEDY = "remove it or set --data.ignore_invalid true"


@cache
def image_suffixes() -> frozenset[str]:
    """The file name suffixes of the formats that can be read, in lower case."""
    Image.init()  # registers them
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)


class Pictures(NamedTuple):
    """Grayscale images of one size, read from files."""

    images: Tensor  # [n, 1, size, size] uint8
    read: list[int]  # [n] the places of their files among those requested
    bright_background: bool


class _Properties(NamedTuple):
    """A picture as it is in its file."""

    size: tuple[int, int]  # height and width, of a large picture after it was reduced
    colored: bool
    free_background: bool  # its outline is transparent


def read_pictures(
    paths: Sequence[Path], size: int, ignore_invalid: bool = False, remedy: str = REMEDY
) -> Pictures:
    """Read picture files as grayscale images of size x size; logs how many were resized or converted.

    Args:
        paths: the files.
        size: height and width in pixels.
        ignore_invalid: skip files that cannot be read, with a warning that counts them.
        remedy: what the user can do about a file that cannot be read.

    Raises:
        InputError: for the first file that cannot be read, or if none can.
    """
    images, properties, read, invalid = [], [], [], []
    slow = len(paths) > MANY
    for place, path in enumerate(track(paths, "reading images", transient=True, disable=not slow)):
        try:
            gray, known = _read_picture(path, size)
        except InputError as error:
            if not ignore_invalid:
                raise InputError(f"{error.for_command_line}: {remedy}") from error
            invalid.append(path)
            continue
        images.append(resize(gray, [size, size], InterpolationMode.BICUBIC, antialias=True))
        properties.append(known)
        read.append(place)
    if invalid:
        log.warning("skipped %s, such as %s", _count(invalid, "invalid image file"), invalid[0].name)
    if not images:
        raise InputError(f"none of {_count(paths, 'image file')} can be read, such as {paths[0]}")
    _log_conversions(properties, size)
    free = torch.tensor([each.free_background for each in properties])
    stacked = with_one_background(torch.stack(images), free)
    return Pictures(stacked, read, is_majority(have_bright_background(stacked)))


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _log_conversions(pictures: Sequence[_Properties], size: int) -> None:
    sizes = {each.size for each in pictures}
    if len(sizes) > 1:
        smallest, largest = min(sizes), max(sizes)
        log.info(
            "%d images of %d sizes, from %d x %d to %d x %d pixels: all resized to %d x %d",
            *(len(pictures), len(sizes), *smallest, *largest, size, size),
        )
    if any(height != width for height, width in sizes):
        alone = len(pictures) == 1
        which = "the image is not square: it is" if alone else "some images are not square: they are"
        log.info("%s stretched to %d x %d", which, size, size)
    if colored := sum(each.colored for each in pictures):
        which = "the image is" if len(pictures) == 1 else f"{colored} of {len(pictures)} images are"
        log.info("%s in color: converted to grayscale", which)


def _read_picture(path: Path, size: int) -> tuple[Tensor, _Properties]:
    """The picture [1, H, W] uint8, a large one reduced on the way. Raises InputError if it cannot be read."""
    try:
        with warnings.catch_warnings(category=Image.DecompressionBombWarning, action="ignore"):
            opening = Image.open(path, formats=FORMATS)
        with opening as opened:
            if not opened.info.get("progressive"):  # a progressive JPEG is decoded whole in any case
                opened.draft(None, (SPARE * size, SPARE * size))  # JPEG is decoded no larger than that
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
            image = ImageOps.exif_transpose(_reduced(opened, SPARE * size))
            if image.mode.startswith(("I", "F")):  # Pillow would cut them off at 255, not scale them
                image = _in_8_bits(image)
            free_background = False
            if image.has_transparency_data:
                image, free_background = without_transparency(image)
            colored = _is_colored(image)
            pixels = np.array(image.convert("L"))
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not an image file") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read ({error})") from error
    height, width = pixels.shape
    return torch.from_numpy(pixels).unsqueeze(0), _Properties((height, width), colored, free_background)


def _reduced(image: Image.Image, least: int) -> Image.Image:
    """A very large image reduced to ``least`` pixels a side or more, so that it is not copied whole."""
    factor = min(image.size) // least
    if image.width * image.height < LARGE or factor < 2 or image.mode not in ("L", "LA", "RGB", "RGBA"):
        return image
    return image.reduce(factor)


def _in_8_bits(image: Image.Image) -> Image.Image:
    """An image of 16 or 32 bits, whose white is 1, 255, 65535, or its own brightest value."""
    deep = np.asarray(image).astype(np.float32)
    brightest = float(deep.max())
    full = next((limit for limit in (1, 255, 65535) if brightest <= limit), brightest)
    deep *= 255 / (max(full, 65535) if image.mode.startswith("I") else full)
    return Image.fromarray(deep.clip(0, 255, out=deep).astype(np.uint8))


def _is_colored(image: Image.Image) -> bool:
    """Whether the channels differ anywhere: many grayscale images are stored as RGB."""
    if image.mode in ("1", "L", "LA"):
        return False
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
    return bool((red != green).any() or (green != blue).any())
