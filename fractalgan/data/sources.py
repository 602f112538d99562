"""The data sets known by name: scikit-learn's digits, the MNIST family, the user's own folder."""

import contextlib
import io
import logging
import socket
from pathlib import Path
from typing import Literal, get_args

import torch
from sklearn.datasets import load_digits
from torchvision import datasets

from fractalgan.data.folder import load_folder
from fractalgan.data.image_set import ImageSet, Source
from fractalgan.errors import InputError

log = logging.getLogger(__name__)

SourceName = Literal["digits", "MNIST", "FashionMNIST", "KMNIST", "folder"]
DOWNLOADED = {"MNIST": datasets.MNIST, "FashionMNIST": datasets.FashionMNIST, "KMNIST": datasets.KMNIST}


def check_name(name: str) -> None:
    """Raise InputError unless ``name`` is one of the data sets."""
    if name not in get_args(SourceName):
        raise InputError(f"no data set {name!r}: choose one of {', '.join(get_args(SourceName))}")


def fetch(name: str, root: Path) -> None:
    """Download ``name`` into ``root`` unless it is there; nothing to do for the others.

    Raises InputError, with the folder where the files can be put by hand, where that fails.
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
            f" put {files} into {folder} by hand, or give the folder that holds {name}/ as --data.root"
            " (ablate: --plan.root)"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def load(name: str, root: Path, size: int) -> Source:
    """The data set, resized to ``size``. Raises InputError where its files are missing or damaged."""
    if name == "digits":
        return _digits(size)
    if name == "folder":
        return load_folder(root, size)
    try:
        train, test = (DOWNLOADED[name](str(root), train=train) for train in (True, False))
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        raise InputError(
            f"the files of {name} in {root / name / 'raw'} cannot be read ({_first_line(error)}):"
            " remove them to have them downloaded again"
        ) from error
    images, kept = (ImageSet(part.data.unsqueeze(1), part.targets).resized(size) for part in (train, test))
    return Source(images, kept, list(train.classes))


def _digits(size: int) -> Source:
    """1,797 handwritten digits of 8 x 8 pixels with 17 grey levels."""
    digits = load_digits()
    images = (torch.from_numpy(digits.images) * (255 / 16)).round().to(torch.uint8)
    labels = torch.from_numpy(digits.target)
    return Source(ImageSet(images.unsqueeze(1), labels).resized(size), None, [str(d) for d in range(10)])


def _present(name: str, root: Path) -> bool:
    """Whether the raw files are there, unpacked: what torchvision looks for before it downloads."""
    raw = root / name / "raw"
    return all((raw / Path(url).stem).is_file() for url, _ in DOWNLOADED[name].resources)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(":") or type(error).__name__
