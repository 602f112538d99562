"""The data sets that torchvision downloads: the MNIST family, CIFAR and SVHN."""

import contextlib
import io
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torchvision import datasets

from fractalgan.data.image_set import ImageSet, Source
from fractalgan.errors import InputError

log = logging.getLogger(__name__)


class Download(NamedTuple):
    """A data set of torchvision, and where its files are below its root."""

    open: Callable[..., Any]  # (root, train, download)
    present: tuple[Path, ...]  # files or folders that are there once it has been downloaded
    archives: str  # what can be put there by hand
    folder: Path  # where


def _mnist(name: str) -> Download:
    kind = getattr(datasets, name)
    folder, urls = Path(name) / "raw", [Path(url) for url, _ in kind.resources]
    unpacked = tuple(folder / url.stem for url in urls)
    return Download(kind, unpacked, ", ".join(url.name for url in urls), folder)


def _cifar(name: str) -> Download:
    kind = getattr(datasets, name)
    return Download(kind, (Path(kind.base_folder),), kind.filename, Path())


def _svhn() -> Download:
    def open_split(root: str, train: bool, download: bool = False) -> Any:
        return datasets.SVHN(root, split="train" if train else "test", download=download)

    files = [datasets.SVHN.split_list[split][1] for split in ("train", "test")]
    return Download(open_split, tuple(map(Path, files)), ", ".join(files), Path())


DOWNLOADED: dict[str, Download] = {
    **{name: _mnist(name) for name in ("MNIST", "FashionMNIST", "KMNIST")},
    **{name: _cifar(name) for name in ("CIFAR10", "CIFAR100")},
    "SVHN": _svhn(),
}


def fetch(name: str, root: Path) -> None:
    """Download ``name`` into ``root`` unless its files are there.

    Raises:
        InputError: if that fails, with the folder where the files can be put by hand.
    """
    download = DOWNLOADED[name]
    if all((root / path).exists() for path in download.present):
        return
    folder = root / download.folder
    log.info("downloading %s into %s", name, folder)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)
    try:
        # torchvision reports every mirror that fails on stdout
        with contextlib.redirect_stdout(io.StringIO()):
            for train in (True, False):
                download.open(str(root), train=train, download=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{name} is not in {root} and cannot be downloaded ({first_line(error)}):"
            f" put {download.archives} into {folder} by hand, or set --data.root (ablate: --plan.root) to the"
            f" folder that holds {download.present[0].parts[0]}"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def load_downloaded(name: str, root: Path) -> Source:
    """The data set in its own size and channels.

    Raises:
        InputError: for files that are missing or damaged.
    """
    download = DOWNLOADED[name]
    try:
        parts = [download.open(str(root), train=train) for train in (True, False)]
    except Exception as error:  # readers of pickles and of MATLAB files raise many types of error
        raise InputError(
            f"the files of {name} in {root / download.folder} cannot be read ({first_line(error)}):"
            " remove them to download them again"
        ) from error
    train, test = (ImageSet(_pixels(part), _labels(part)) for part in parts)
    classes = getattr(parts[0], "classes", [str(digit) for digit in range(10)])  # SVHN has none
    return Source(train, test, list(classes))


def _pixels(part: Any) -> torch.Tensor:
    """Images [n, C, H, W] uint8 of a data set of torchvision, each of which keeps them in its own order."""
    pixels = torch.as_tensor(part.data)
    if pixels.ndim == 3:
        return pixels.unsqueeze(1)
    return (pixels if pixels.shape[1] == 3 else pixels.permute(0, 3, 1, 2)).contiguous()


def _labels(part: Any) -> torch.Tensor:
    return torch.as_tensor(part.labels if hasattr(part, "labels") else part.targets)


def first_line(error: BaseException) -> str:
    """What went wrong, in one line."""
    return str(error).strip().partition("\n")[0].rstrip(":") or type(error).__name__
