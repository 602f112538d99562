"""Targets: which images are rebuilt, and that they are the same whoever asks."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fractalgan.data import ImageData, TargetData
from fractalgan.data.fractaldb import fractaldb_images
from fractalgan.errors import InputError
from tests.data.files import cut_off, save, shape


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


def test_targets_of_a_data_set_have_its_labels() -> None:
    data, real = ready(count=20, split="train"), ImageData()
    real.setup("fit")
    assert data.labels is not None
    assert real.train_images is not None
    assert data.labels.equal(real.train_images.labels[data.indices])
    assert data.classes == [str(digit) for digit in range(10)]
    medoids = ready(per_class=2, split="train", exemplars="medoids")
    assert medoids.labels is not None
    assert medoids.labels.tolist() == [label for label in range(10) for _ in range(2)]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_validation_images_are_no_targets_and_prepared_like_them(split: str) -> None:
    data = ready(split=split, count=3, binarize=0.5)
    if split == "validation":
        assert data.validation_images is None
        return
    assert data.validation_images is not None
    images, labels = data.validation_images[:]
    assert len(images) == 162
    assert labels.unique().tolist() == [*range(10)]
    assert images.unique().tolist() == [0, 1]


def test_own_pictures_have_no_validation_images(tmp_path: Path) -> None:
    save(tmp_path / "mine.png", shape(200, 0))
    assert ready(path=str(tmp_path / "mine.png")).validation_images is None


@pytest.mark.parametrize("shares", [{}, {"test_share": 0.3, "validation_share": 0.2}])
def test_folder_with_classes_is_split_as_images_are(shares: dict[str, float], tmp_path: Path) -> None:
    for name, bright in [("cat", 0), ("dog", 1)]:
        for k in range(10):
            save(tmp_path / name / f"{k}.png", shape(10 * k + bright, 255))
    data = ready(name="folder", root=str(tmp_path), split="train", size=16, **shares)
    real = ImageData("folder", str(tmp_path), size=16, binarize=None, **shares)
    real.setup("fit")
    assert real.train_images is not None
    images, labels = real.train_images[list(range(len(real.train_images)))]
    assert data.targets is not None
    assert data.labels is not None
    assert data.targets.equal(images)
    assert data.labels.equal(labels)
    assert data.classes == ["cat", "dog"]
    assert {name: float(data.source_options()[name]) for name in shares} == shares
    medoids = ready(name="folder", root=str(tmp_path), split="train", size=16, exemplars="medoids", **shares)
    assert medoids.indices.equal(data.indices)  # all of them, without per_class


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
    assert (one.targets[0, 0].diff(dim=1) >= 0).all()  # the right half of the ramp is bright: not a majority
    dark = ready(path=str(tmp_path / "a.png"), size=16, invert=True).targets
    assert dark is not None
    torch.testing.assert_close(dark, 1 - one.targets)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "not an image file: set --data.path to another picture"),
        (lambda path: path.write_text("a cat"), "not an image file: set --data.path to another picture"),
        (lambda path: Image.new("L", (20, 20), 130).save(path), "has a single color"),
        (lambda path: Image.new("RGB", (20, 20), "red").save(path), "has a single color"),
    ],
)
def test_pictures_that_show_nothing(write: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    write(path)
    with pytest.raises(InputError) as caught:
        ready(path=str(path), ignore_invalid=True)
    assert message in caught.value.for_command_line


def test_a_picture_is_read_under_any_name(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    for name in ("cat.png", "cat.backup", "cat"):
        Image.fromarray(ramp).save(tmp_path / name, format="PNG")
    first, *others = (ready(path=str(tmp_path / name)) for name in ("cat.png", "cat.backup", "cat"))
    assert all(each.sample(1).equal(first.sample(1)) for each in others)


def test_folders_of_pictures_may_hold_other_files(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "deep/b.png"):
        save(tmp_path / name, shape(200, 10))
    cut_off(tmp_path / "b.png")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"b\.png cannot be read .*: remove it or set ignore_invalid=True"):
        ready(path=str(tmp_path))
    data = ready(path=str(tmp_path), ignore_invalid=True)
    assert data.names == ["a.png", str(Path("deep", "b.png"))]
    assert data.indices.tolist() == [0, 1]
    assert "skipped notes.txt" in logs.text
    assert "skipped 1 invalid image file, such as b.png" in logs.text


@pytest.mark.parametrize("files", [[], ["notes.txt"]])
def test_folders_without_pictures_are_refused(files: list[str], tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).write_text("hello")
    with pytest.raises(InputError, match=r"no images in .*: put PNG or JPEG files there"):
        ready(path=str(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"root": "x"}, "--data.root has no effect with --data.name digits: use --data.path for your own"),
        ({"root": "x", "name": "fractaldb"}, "--data.root has no effect with --data.name fractaldb: use"),
        ({"root": "x", "path": "cat.png"}, "--data.root has no effect with --data.path: remove it"),
        ({"name": "cats"}, "name must be one of digits, MNIST, .*, got 'cats'"),
        ({"test_share": 0.6}, "test_share must be > 0 and < 0.5, got 0.6"),
        (
            {"test_share": 0.2, "path": "cat.png"},
            "validation_share and test_share have no effect with --data.path: remove them",
        ),
        ({"split": "all"}, "split must be one of train, validation, test, got 'all'"),
        ({"size": 4}, "size must be >= 8, got 4"),
        ({"count": 181}, "count must be <= 180, the number of images in the test set of digits, got 181"),
        ({"exemplars": "medoids"}, "exemplars medoids need --data.per_class, the number of images per class"),
        ({"exemplars": "best", "per_class": 1}, "exemplars must be"),
        ({"exemplars": "medoids", "path": "cat.png"}, "exemplars needs classes, which --data.path does not"),
        ({"per_class": 2, "name": "fractaldb"}, "per_class needs classes, which --data.name fractaldb does"),
        ({"per_class": 2, "choice": 3}, "choice has no effect with --data.exemplars first: remove it"),
        ({"per_class": 100}, "per_class must be <= 1., the size of the smallest class in the test set"),
        ({"path": "none.png"}, "there is no picture or folder none.png: set --data.path to an existing one"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        ready(**options)
    assert re.match(message, caught.value.for_command_line), caught.value.for_command_line


@pytest.mark.parametrize("options", [{}, {"name": "fractaldb"}, {"path": "cat.png"}])
def test_root_of_older_config_files_is_accepted(options: dict[str, str]) -> None:
    TargetData(root="data", **options)  # type: ignore[arg-type]


def test_level_that_leaves_nothing_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(tmp_path / "dark.png")
    with pytest.raises(InputError, match=r"has a single color, .* or another binarize$"):
        ready(path=str(tmp_path / "dark.png"), binarize=0.9)


def test_every_process_has_targets_of_its_own() -> None:
    data = ready(count=5)

    class Second:
        global_rank, world_size = 1, 2

    data.trainer = Second()  # type: ignore[assignment]
    targets, rows = next(iter(data.train_dataloader()))
    assert rows.tolist() == [1, 3]
    assert data.targets is not None
    assert targets.equal(data.targets[1::2])
