"""CIFAR and SVHN, read from files in their own formats."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from torchvision import datasets

from fractalgan.data import ImageData, TargetData
from fractalgan.data.downloads import DOWNLOADED, fetch
from fractalgan.errors import InputError

PER_FILE = 20


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()  # what torchvision checks


def write_cifar(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pickled batches, and the hashes of these files in place of those of the real ones."""
    kind = getattr(datasets, name)
    folder, random = root / kind.base_folder, np.random.default_rng(0)
    folder.mkdir(parents=True)
    label = "labels" if name == "CIFAR10" else "fine_labels"
    for files in ("train_list", "test_list"):
        for file, _ in getattr(kind, files):
            data = random.integers(0, 256, (PER_FILE, 3072), dtype=np.uint8)
            data[:, :1024] = 255  # red
            content = {"data": data, label: [k % 10 for k in range(PER_FILE)]}
            (folder / file).write_bytes(pickle.dumps(content))
        hashed = [[file, md5(folder / file)] for file, _ in getattr(kind, files)]
        monkeypatch.setattr(kind, files, hashed)
    meta = folder / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: [f"class {k}" for k in range(10)]}))
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": md5(meta)})
    return root


def write_svhn(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MATLAB files [32, 32, 3, n], in which the label of a zero is 10."""
    root.mkdir(parents=True, exist_ok=True)
    splits = dict(datasets.SVHN.split_list)
    for split in ("train", "test"):
        url, file, _ = splits[split]
        pixels = np.zeros((32, 32, 3, PER_FILE), np.uint8)
        pixels[:, :, 0] = 255
        pixels[:16, :, 2] = 100
        savemat(root / file, {"X": pixels, "y": np.arange(1, PER_FILE + 1)[:, None] % 10 + 1})
        splits[split] = [url, file, md5(root / file)]
    monkeypatch.setattr(datasets.SVHN, "split_list", splits)
    return root


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
def test_cifar_is_read_in_color(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ImageData(name, str(write_cifar(tmp_path, name, monkeypatch)), size=16)  # type: ignore[arg-type]
    data.prepare_data()
    data.setup()
    assert data.train_images is not None
    assert data.test_images is not None
    files = len(getattr(datasets, name).train_list)
    assert len(data.train_images) == files * PER_FILE - round(0.1 * files * PER_FILE)
    assert len(data.test_images) == PER_FILE
    assert data.classes == [f"class {k}" for k in range(10)]
    images, labels = data.test_images[:]
    assert images.shape == (PER_FILE, 3, 16, 16)
    assert (images[:, 0] > 0.99).all()
    assert images[:, 1].std() > 0.05
    assert labels.tolist() == [k % 10 for k in range(PER_FILE)]


def test_svhn_is_read_in_color(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ImageData("SVHN", str(write_svhn(tmp_path, monkeypatch)))
    data.prepare_data()
    data.setup()
    assert data.test_images is not None
    images, labels = data.test_images[:]
    assert images.shape == (PER_FILE, 3, 32, 32)
    assert images[0, :, 0, 0].tolist() == pytest.approx([1, 0, 100 / 255])
    assert images[0, :, 31, 31].tolist() == [1, 0, 0]
    assert sorted(set(labels.tolist())) == [*range(10)]
    assert len(data.classes) == 10


def test_data_sets_in_color_can_be_read_in_grayscale_and_reconstructed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(write_cifar(tmp_path, "CIFAR10", monkeypatch))
    gray = ImageData("CIFAR10", root, channels=1)
    gray.setup()
    assert gray.sample(2).shape == (2, 1, 32, 32)
    assert gray.sample(2).unique().tolist() == [0, 1]
    targets = TargetData("CIFAR10", root=root, count=3)
    targets.prepare_data()
    targets.setup()
    assert targets.targets is not None
    assert targets.targets.shape == (3, 3, 32, 32)


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100", "SVHN"])
def test_files_that_are_missing_or_damaged_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = DOWNLOADED[name].archives

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no network")

    with monkeypatch.context() as patch:
        patch.setitem(DOWNLOADED, name, DOWNLOADED[name]._replace(open=fails))
        with pytest.raises(InputError, match=r"cannot be downloaded .*by hand") as caught:
            fetch(name, tmp_path / "empty")
        assert archives in str(caught.value)
    root = tmp_path / "damaged"
    for path in DOWNLOADED[name].present:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).mkdir() if not path.suffix else (root / path).write_bytes(b"damaged")
    with pytest.raises(InputError, match=f"the files of {name} in .* cannot be read"):
        ImageData(name, str(root)).setup()  # type: ignore[arg-type]
