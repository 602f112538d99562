"""Folders of the user's own images: one sub-folder per class, or a flat folder without labels."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from fractalgan.data.image_set import ImageSet, Source
from fractalgan.data.pictures import Reading, image_suffixes, read_pictures
from fractalgan.errors import InputError

log = logging.getLogger(__name__)

SYSTEM_FILES = ("Thumbs.db", "desktop.ini", "__MACOSX")


def load_folder(root: Path, reading: Reading) -> Source:
    """All images below ``root``, of one size and kind, in the order of their names.

    Sub-folders are the classes; a folder without any is read as images without labels.

    Raises:
        InputError: as :func:`list_classes` and :func:`~fractalgan.data.pictures.read_pictures` do, and for a
            class without a valid image.
    """
    files, classes = list_classes(root)
    pictures = read_pictures([path for path, _ in files], reading)
    labels = torch.tensor([files[place][1] for place in pictures.read])
    for label, name in enumerate(classes):
        if not (labels == label).any():
            raise InputError(f"class folder {root / name} has no valid image: add some, or remove it")
    return Source(ImageSet(pictures.images, labels), None, classes, pictures.bright_background)


def list_classes(root: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """The images below ``root`` in the order of their names, each with its label, and the classes.

    Other files are skipped, and counted in one log message.

    Raises:
        InputError: if the folder or a class folder has no images, or has images beside class folders.
    """
    if not root.is_dir():
        what = f"{root} is a file" if root.exists() else f"there is no folder {root}"
        raise InputError(f"{what}: set --data.root to the folder of your images")
    visible = sorted(path for path in root.iterdir() if not _is_hidden(path, root))
    folders = [path for path in visible if path.is_dir()]
    loose, skipped = _images_and_others([path for path in visible if not path.is_dir()])
    if folders and loose:
        raise InputError(
            f"{loose[0]} is beside class folders such as {folders[0].name}/: put every image into a"
            " sub-folder named after its class, or all of them into one folder without sub-folders"
        )
    files = [(path, -1) for path in loose]
    for label, folder in enumerate(folders):
        inside, others = _images_and_others(_visible_files(folder))
        if not inside:
            raise InputError(f"class folder {folder} has no images{_such_as(others)}: add some, or remove it")
        files += [(path, label) for path in inside]
        skipped += others
    if not files:
        raise InputError(
            f"no images in {root}{_such_as(skipped)}: put PNG or JPEG files there, one sub-folder per class"
        )
    _log_skipped(skipped)
    return files, [folder.name for folder in folders]


def list_pictures(folder: Path) -> list[Path]:
    """The images anywhere below ``folder``, in the order of their names; other files are skipped.

    Raises:
        InputError: if there are none.
    """
    images, others = _images_and_others(_visible_files(folder))
    if not images:
        raise InputError(f"no images in {folder}{_such_as(others)}: put PNG or JPEG files there")
    _log_skipped(others)
    return images


def _visible_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_hidden(path, folder)]


def _is_hidden(path: Path, root: Path) -> bool:
    """Whether the path, or a folder on the way to it, is hidden or was left behind by a system."""
    names = path.relative_to(root).parts
    return any(name.startswith(".") or name in SYSTEM_FILES for name in names)


def _images_and_others(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The paths with a suffix of images, and the rest."""
    images = [path for path in paths if path.suffix.lower() in image_suffixes()]
    return images, [path for path in paths if path.suffix.lower() not in image_suffixes()]


def _such_as(others: Sequence[Path]) -> str:
    return f", only other files such as {others[0].name}" if others else ""


def _log_skipped(others: Sequence[Path]) -> None:
    if len(others) == 1:
        log.info("skipped %s, which is not an image", others[0].name)
    elif others:
        log.info("skipped %d files that are not images, such as %s", len(others), others[0].name)
