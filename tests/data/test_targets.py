"""Targets: which images are rebuilt, and that they are the same whoever asks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fractalgan.data import ImageData, TargetData
from fractalgan.data.fractaldb import fractaldb_images
from fractalgan.errors import InputError


def ready(**options: object) -> TargetData:
    data = TargetData(**options)  # type: ignore[arg-type]
    data.prepare_data()
    data.setup("fit")
    return data


def test_targets_are_images_of_the_test_set() -> None:
    data, real = ready(count=20, binarize=0.5), ImageData(binarize=0.5)
    real.setup("fit")
    assert data.targets is not None
    assert real.test_images is not None
    whole = real.test_images[list(range(len(real.test_images)))][0]
    assert data.targets.equal(whole[data.indices])
    assert len(set(data.indices.tolist())) == 20
    assert data.names[3] == f"digits {data.indices[3]}"
    few = ready(count=5, binarize=0.5)
    assert few.targets is not None
    assert few.targets.equal(data.targets[:5])
    assert not ready(count=5, choice=1).indices.equal(few.indices)


def test_first_of_each_class() -> None:
    data, real = ready(per_class=3), ImageData()
    real.setup("fit")
    assert real.test_images is not None
    labels = real.test_images.labels
    assert labels[data.indices].tolist() == [label for label in range(10) for _ in range(3)]
    assert data.indices[:3].tolist() == (labels == 0).nonzero().flatten()[:3].tolist()


def test_named_data_sets_are_read(mnist_like: Callable[[str], Path]) -> None:
    data = ready(name="KMNIST", root=str(mnist_like("KMNIST")), count=20, split="test")
    assert data.targets is not None
    assert data.targets.shape == (20, 1, 32, 32)


def test_fractals_of_fractaldb_fill_their_canvas() -> None:
    images = fractaldb_images(12, 16, 3)
    assert images.equal(fractaldb_images(20, 16, 3)[:12])
    assert not images.equal(fractaldb_images(12, 16, 4))
    for image in images[:, 0]:
        assert image.amax(0).nonzero().flatten()[[0, -1]].tolist() == [0, 15]
        assert image.amax(1).nonzero().flatten()[[0, -1]].tolist() == [0, 15]
        assert 0.02 < (image > 0).float().mean() < 1


def test_own_pictures(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    for name in ("b.png", "a.png"):
        Image.fromarray(ramp if name == "a.png" else ramp.T.copy()).save(tmp_path / name)
    one = ready(path=str(tmp_path / "a.png"), size=16)
    assert (one.source, one.names) == ("a.png", ["a.png"])
    both = ready(path=str(tmp_path), size=16)
    assert one.targets is not None
    assert both.targets is not None
    assert both.targets[0].equal(one.targets[0])
    assert both.names == ["a.png", "b.png"]
    assert (one.targets[0, 0].diff(dim=1) >= 0).all()
    dark = ready(path=str(tmp_path / "a.png"), size=16, invert=True).targets
    assert dark is not None
    torch.testing.assert_close(dark, 1 - one.targets)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "cannot be read as an image"),
        (lambda path: path.write_text("a cat"), "cannot be read as an image"),
        (lambda path: Image.new("L", (20, 20), 130).save(path), "is of one colour"),
        (lambda path: Image.new("RGB", (20, 20), "red").save(path), "is of one colour"),
    ],
)
def test_pictures_that_show_nothing(write: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    write(path)
    with pytest.raises(InputError, match=message):
        ready(path=str(path))


def test_level_that_leaves_nothing_is_told(tmp_path: Path) -> None:
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(tmp_path / "dark.png")
    with pytest.raises(InputError, match=r"another --data\.binarize"):
        ready(path=str(tmp_path / "dark.png"), binarize=0.9)


def test_every_process_has_a_share() -> None:
    data = ready(count=5)

    class Second:
        global_rank, world_size = 1, 2

    data.trainer = Second()  # type: ignore[assignment]
    targets, rows = next(iter(data.train_dataloader()))
    assert rows.tolist() == [1, 3]
    assert data.targets is not None
    assert targets.equal(data.targets[1::2])
