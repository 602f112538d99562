"""The data sets known by name: scikit-learn's digits, the MNIST family, the user's own folder."""

import contextlib
import io
import logging
import socket
from pathlib import Path
from typing import Literal

import torch
from sklearn.datasets import load_digits
from torchvision import datasets

from fractalgan.data.folder import load_folder
from fractalgan.data.image_set import ImageSet, Source
from fractalgan.errors import InputError

log = logging.getLogger(__name__)

SourceName = Literal["digits", "MNIST", "FashionMNIST", "KMNIST", "folder"]
DOWNLOADED = {"MNIST": datasets.MNIST, "FashionMNIST": datasets.FashionMNIST, "KMNIST": datasets.KMNIST}

DEFAULT_ROOT = "data"


def source_root(name: SourceName, root: str | None) -> Path:
    """The folder of a data set's files.

    Raises:
        InputError: if ``folder`` has no root, and if another data set has one that would have no effect.
    """
    if name == "folder" and root is None:
        raise InputError("set --data.root to the folder of your images")
    if name == "digits":
        require_no_root(
            root, "--data.name digits: add --data.name folder to learn from your own images in it"
        )
    return Path(DEFAULT_ROOT if root is None else root).expanduser()


def require_no_root(root: str | None, reason: str) -> None:
    """Raise InputError for a root without effect, except the default of earlier versions' config files."""
    if root not in (None, DEFAULT_ROOT):
        raise InputError(f"--data.root has no effect with {reason}")


def fetch(name: SourceName, root: Path) -> None:
    """Download ``name`` into ``root`` unless its files are there or it needs none.

    Raises:
        InputError: if that fails, with the folder where the files can be put by hand.
    """
    if name not in DOWNLOADED or _present(name, root):
        return
    folder = root / name / "raw"
    log.info("downloading %s into %s", name, folder)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)
    try:
        # torchvision reports every mirror that fails on stdout
        with contextlib.redirect_stdout(io.StringIO()):
            DOWNLOADED[name](str(root), train=True, download=True)
    except (OSError, RuntimeError) as error:
        files = ", ".join(Path(url).name for url, _ in DOWNLOADED[name].resources)
        raise InputError(
            f"{name} is not in {root} and cannot be downloaded ({_first_line(error)}):"
            f" put {files} into {folder} by hand, or set --data.root (ablate: --plan.root) to the folder that"
            f" holds {name}/"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def load(name: SourceName, root: Path, size: int, ignore_invalid: bool = False) -> Source:
    """The data set, resized to ``size``.

    Raises:
        InputError: for files that are missing or damaged.
    """
    if name == "digits":
        return _digits(size)
    if name == "folder":
        return load_folder(root, size, ignore_invalid)
    try:
        train, test = (DOWNLOADED[name](str(root), train=train) for train in (True, False))
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        raise InputError(
            f"the files of {name} in {root / name / 'raw'} cannot be read ({_first_line(error)}):"
            " remove them to download them again"
        ) from error
    images, kept = (ImageSet(part.data.unsqueeze(1), part.targets).resized(size) for part in (train, test))
    return Source(images, kept, list(train.classes))


def _digits(size: int) -> Source:
    """1,797 handwritten digits of 8 x 8 pixels with 17 gray levels."""
    digits = load_digits()
    images = (torch.from_numpy(digits.images) * (255 / 16)).round().to(torch.uint8)
    labels = torch.from_numpy(digits.target)
    return Source(ImageSet(images.unsqueeze(1), labels).resized(size), None, [str(d) for d in range(10)])


def _present(name: str, root: Path) -> bool:
    """Whether the unpacked files, which torchvision looks for before it downloads, are there."""
    raw = root / name / "raw"
    return all((raw / Path(url).stem).is_file() for url, _ in DOWNLOADED[name].resources)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(":") or type(error).__name__
