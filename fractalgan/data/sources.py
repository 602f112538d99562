"""The sources of real images by name: scikit-learn's digits, downloads, and the user's own folder."""

from pathlib import Path
from typing import Literal

import torch
from sklearn.datasets import load_digits

from fractalgan.data.channels import resolve_channels
from fractalgan.data.downloads import DOWNLOADED, load_downloaded
from fractalgan.data.folder import load_folder
from fractalgan.data.image_set import ImageSet, Source
from fractalgan.data.pictures import Reading
from fractalgan.errors import InputError

DownloadName = Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100", "SVHN"]
SourceName = Literal["digits", DownloadName, "folder"]

DEFAULT_ROOT = "data"

# Height and width of the images as they come, by data set.
OWN_SIZES: dict[SourceName, int] = {
    "digits": 8,
    "MNIST": 28,
    "FashionMNIST": 28,
    "KMNIST": 28,
    "CIFAR10": 32,
    "CIFAR100": 32,
    "SVHN": 32,
}


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


def load(name: SourceName, root: Path, reading: Reading) -> Source:
    """The data set, of one size and kind.

    Raises:
        InputError: for files that are missing or damaged.
    """
    if name == "folder":
        return load_folder(root, reading)
    source = load_downloaded(name, root) if name in DOWNLOADED else _digits()
    colored = source.train.images.shape[1] == 3
    channels = resolve_channels(reading.channels, [colored] * len(source.train))
    train, test = (
        None if part is None else part.with_channels(channels).resized(reading.size)
        for part in (source.train, source.test)
    )
    assert train is not None
    return source._replace(train=train, test=test)


def _digits() -> Source:
    """1,797 handwritten digits of 8 x 8 pixels with 17 gray levels."""
    digits = load_digits()
    images = (torch.from_numpy(digits.images) * (255 / 16)).round().to(torch.uint8)
    labels = torch.from_numpy(digits.target)
    return Source(ImageSet(images.unsqueeze(1), labels), None, [str(d) for d in range(10)])
