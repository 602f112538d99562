"""Reading the user's picture files as images of one size, in grayscale or color."""

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
    on_color,
    on_contrast,
    with_one_background,
)
from fractalgan.data.channels import Channels, resolve_channels
from fractalgan.errors import InputError
from fractalgan.limits import MAX_PIXELS

log = logging.getLogger(__name__)

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # of the others, one runs PostScript

SPARE = 4  # times the requested size: a large image is reduced to no less before it is resized
LARGE = 4_000_000  # pixels
MANY = 2000  # files, which take long enough for a progress bar

COLOR_LEVELS, COLOR_SHARE = 8, 1e-3  # by which channels differ, of 255, in more than that share of the pixels

REMEDY = "remove it or set --data.ignore_invalid true"


@cache
def image_suffixes() -> frozenset[str]:
    """The file name suffixes of the formats that can be read, in lower case."""
    Image.init()  # registers them
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)


class Pictures(NamedTuple):
    """Images of one size, read from files."""

    images: Tensor  # [n, 1 or 3, size, size] uint8
    read: list[int]  # [n] the places of their files among those requested
    bright_background: bool


class Reading(NamedTuple):
    """How pictures are read."""

    size: int  # height and width in pixels
    channels: Channels = "auto"
    background: str | None = None  # of transparent pictures
    ignore_invalid: bool = False


class _Picture(NamedTuple):
    """A picture in both kinds, and what it was in its file."""

    gray: Tensor  # [1, size, size] uint8
    color: Tensor | None  # [3, size, size] uint8; None if it is as in grayscale, or is not needed
    size: tuple[int, int]  # height and width, of a large picture after it was reduced
    colored: bool
    transparent: bool
    free_background: bool  # its outline is transparent


def read_pictures(paths: Sequence[Path], reading: Reading, remedy: str = REMEDY) -> Pictures:
    """Read picture files as images of one size; logs how many were resized or converted.

    Args:
        paths: the files.
        reading: how they are read. In grayscale, a transparent picture gets a background in contrast with it,
            unless one is set; in color, a white one.
        remedy: what the user can do about a file that cannot be read.

    Raises:
        InputError: for the first file that cannot be read, unless those are ignored, or if none can; for a
            background without effect.
    """
    pictures: list[_Picture] = []
    read, invalid = [], []
    slow = len(paths) > MANY
    for place, path in enumerate(track(paths, "reading images", transient=True, disable=not slow)):
        try:
            pictures.append(_read_picture(path, reading))
        except InputError as error:
            if not reading.ignore_invalid:
                raise InputError(f"{error.for_command_line}: {remedy}") from error
            invalid.append(path)
            continue
        read.append(place)
    if invalid:
        log.warning("skipped %s, such as %s", _count(invalid, "invalid image file"), invalid[0].name)
    if not pictures:
        raise InputError(f"none of {_count(paths, 'image file')} can be read, such as {paths[0]}")
    if reading.background is not None and not any(each.transparent for each in pictures):
        raise InputError("--data.background has no effect: no picture is transparent")
    _log_sizes(pictures, reading.size)
    channels = resolve_channels(reading.channels, [each.colored for each in pictures])
    if channels == 3:
        colors = [each.gray.expand(3, -1, -1) if each.color is None else each.color for each in pictures]
        return Pictures(torch.stack(colors), read, False)
    images = torch.stack([each.gray for each in pictures])
    if reading.background is None:
        images = with_one_background(images, torch.tensor([each.free_background for each in pictures]))
    return Pictures(images, read, is_majority(have_bright_background(images)))


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _log_sizes(pictures: Sequence[_Picture], size: int) -> None:
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


def _read_picture(path: Path, reading: Reading) -> _Picture:
    """The picture, a large one reduced on the way. Raises InputError if it cannot be read."""
    least = SPARE * reading.size
    try:
        with warnings.catch_warnings(category=Image.DecompressionBombWarning, action="ignore"):
            opening = Image.open(path, formats=FORMATS)
        with opening as opened:
            if not opened.info.get("progressive"):  # a progressive JPEG is decoded whole in any case
                opened.draft(None, (least, least))  # JPEG is decoded no larger than that
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
            image = ImageOps.exif_transpose(_reduced(opened, least))
            if image.mode.startswith(("I", "F")):  # Pillow would cut them off at 255, not scale them
                image = _in_8_bits(image)
            return _converted(image, reading)
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not an image file") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read ({error})") from error


def _converted(image: Image.Image, reading: Reading) -> _Picture:
    transparent, free = _is_transparent(image), False
    gray = color = image
    if transparent:
        color = on_color(image, reading.background or "white")
        gray, free = on_contrast(image) if reading.background is None else (color, False)
    colored = _is_colored(color)
    differs = colored or transparent  # from the grayscale image
    return _Picture(
        gray=_resized(gray.convert("L"), reading.size),
        color=_resized(color.convert("RGB"), reading.size) if differs and reading.channels != 1 else None,
        size=(image.height, image.width),
        colored=colored,
        transparent=transparent,
        free_background=free,
    )


def _is_transparent(image: Image.Image) -> bool:
    """Whether a background is seen anywhere: many opaque images are stored with an alpha channel."""
    return image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] != 255


def _resized(image: Image.Image, size: int) -> Tensor:
    """An image as [1 or 3, size, size] uint8."""
    pixels = torch.from_numpy(np.array(image))
    pixels = pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()
    resized: Tensor = resize(pixels, [size, size], InterpolationMode.BICUBIC, antialias=True)
    return resized


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
    """Whether the channels differ visibly: many grayscale images are stored as RGB, or were scanned."""
    if image.mode in ("1", "L", "LA"):
        return False
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
    largest, smallest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return bool((largest - smallest > COLOR_LEVELS).mean() > COLOR_SHARE)
