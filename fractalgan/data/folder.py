"""The user's own images: one sub-folder a class, or a flat folder without labels."""

import logging
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.progress import track
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from fractalgan.data.image_set import ImageSet, Source
from fractalgan.errors import InputError
from fractalgan.limits import PICTURE

log = logging.getLogger(__name__)

SPARE = 4  # times the size that is wanted: as much as a large image keeps before it is resized
LARGE = 4_000_000  # pixels

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # of the others, one runs PostScript

LEFT_BEHIND = ("Thumbs.db", "desktop.ini", "__MACOSX")


def load_folder(root: Path, size: int) -> Source:
    """All images below ``root``, grey and resized to ``size``, in the order of their names.

    Sub-folders are the classes; a folder without any is read as images without labels. Hidden files
    are passed over. Raises InputError as :func:`list_images` does, and for the first file that cannot be
    read as an image.
    """
    files, classes = list_images(root)
    images = torch.stack(read_all([path for path, _ in files], size))
    return Source(ImageSet(images, torch.tensor([label for _, label in files])), None, classes)


def list_images(root: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """The files below ``root`` in the order of their names, each with its label, and the classes.

    Raises InputError where the folder is missing or empty, and where images lie beside class folders.
    """
    if not root.is_dir():
        raise InputError(f"no folder {root}: give the folder of your images as --data.root")
    visible = sorted(path for path in root.iterdir() if not _hidden(path, root))
    folders = [path for path in visible if path.is_dir()]
    loose = [path for path in visible if not path.is_dir()]
    if folders and loose:
        raise InputError(
            f"{loose[0]} lies beside class folders such as {folders[0].name}/: put every image into a"
            " sub-folder named after its class, or all of them into one folder without sub-folders"
        )
    files = [(path, -1) for path in loose]
    for label, folder in enumerate(folders):
        inside = visible_files(folder)
        if not inside:
            raise InputError(f"class folder {folder} is empty: put its images there, or remove it")
        files += [(path, label) for path in inside]
    if not files:
        raise InputError(f"no images in {root}: put PNG or JPEG files there, one sub-folder a class")
    return files, [folder.name for folder in folders]


def visible_files(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones, in the order of their names."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not _hidden(path, folder)]


def _hidden(path: Path, root: Path) -> bool:
    """Whether the path, or a folder on the way to it, is of the kind that systems leave behind."""
    names = path.relative_to(root).parts
    return any(name.startswith(".") or name in LEFT_BEHIND for name in names)


def read_all(paths: list[Path], size: int) -> list[Tensor]:
    """Images [1, size, size] uint8; says once how many were resized or converted.

    Raises InputError for the first file that cannot be read as an image.
    """
    images, sizes, coloured = [], Counter[tuple[int, int]](), 0
    slow = len(paths) > 2000
    for path in track(paths, "reading images", transient=True, disable=not slow):
        grey, colour = _read_grey(path, size)
        sizes[grey.shape[-2], grey.shape[-1]] += 1
        coloured += colour
        images.append(resize(grey, [size, size], InterpolationMode.BICUBIC, antialias=True))
    if len(sizes) > 1:
        smallest, largest = min(sizes), max(sizes)
        log.info(
            "%d images of %d sizes, from %d x %d to %d x %d pixels: all resized to %d x %d",
            *(len(paths), len(sizes), *smallest, *largest, size, size),
        )
    if any(height != width for height, width in sizes):
        log.info("some images are not square: they are stretched to %d x %d", size, size)
    if coloured:
        log.info("%d of %d images are coloured: converted to grey", coloured, len(paths))
    return images


def _read_grey(path: Path, size: int) -> tuple[Tensor, bool]:
    """The image [1, H, W] uint8, and whether it had colours; a large one is made smaller on the way."""
    try:
        with warnings.catch_warnings(category=Image.DecompressionBombWarning, action="ignore"):
            opening = Image.open(path, formats=FORMATS)
        with opening as opened:
            if not opened.info.get("progressive"):  # which is kept whole, whatever is decoded of it
                opened.draft(None, (SPARE * size, SPARE * size))  # JPEG is decoded no larger than that
            if opened.width * opened.height > PICTURE:
                raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
            image = ImageOps.exif_transpose(_reduced(opened, SPARE * size))
            if image.mode.startswith(("I", "F")):  # Pillow would cut them off at 255, not scale them
                image = _in_8_bits(image)
            if image.has_transparency_data:  # shown on white, as viewers do
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            colour = _is_coloured(image)
            pixels = np.array(image.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "no image file" if isinstance(error, UnidentifiedImageError) else str(error)
        raise InputError(f"{path} cannot be read as an image ({reason}): mend or remove it") from error
    return torch.from_numpy(pixels).unsqueeze(0), colour


def _reduced(image: Image.Image, least: int) -> Image.Image:
    """A very large image made smaller, to ``least`` pixels a side or more, so that it is not copied whole."""
    factor = min(image.size) // least
    if image.width * image.height < LARGE or factor < 2 or image.mode not in ("L", "LA", "RGB", "RGBA"):
        return image
    return image.reduce(factor)


def _in_8_bits(image: Image.Image) -> Image.Image:
    """An image of 16 or 32 bits, whose white is 1, 255, 65535, or the brightest that there is."""
    deep = np.asarray(image).astype(np.float32)
    brightest = float(deep.max())
    full = next((limit for limit in (1, 255, 65535) if brightest <= limit), brightest)
    deep *= 255 / (max(full, 65535) if image.mode.startswith("I") else full)
    return Image.fromarray(deep.clip(0, 255, out=deep).astype(np.uint8))


def _is_coloured(image: Image.Image) -> bool:
    """Whether the channels differ anywhere: many grey images are stored as RGB."""
    if image.mode in ("1", "L", "LA"):
        return False
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
    return bool((red != green).any() or (green != blue).any())
