"""Folders of the user's own images: classes, what is skipped, and what is refused."""

import re
from pathlib import Path

import pytest

from fractalgan.data.folder import list_pictures, load_folder
from fractalgan.data.pictures import Reading
from fractalgan.errors import InputError
from tests.data.files import cut_off, plain, save


def test_sub_folders_are_the_classes(image_folder: Path) -> None:
    source = load_folder(image_folder, Reading(16))
    assert source.classes == ["bars", "squares"]
    assert source.train.images.shape == (24, 1, 16, 16)
    assert source.train.labels.tolist() == [0] * 12 + [1] * 12
    assert source.test is None


def test_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for value in range(3):
        save(tmp_path / f"{value}.png", plain(100 * value))
    source = load_folder(tmp_path, Reading(8))
    assert source.classes == []
    assert source.train.labels.tolist() == [-1, -1, -1]
    assert source.train.images[:, 0, 0, 0].tolist() == [0, 100, 200]


def test_hidden_files_are_skipped_silently(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "one.png", plain(1))
    save(tmp_path / ".trash" / "two.png", plain(2))
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    assert len(load_folder(tmp_path, Reading(8)).train) == 1
    assert logs.text == ""


def test_files_that_are_not_images_are_skipped_and_counted_once(
    tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    for name in ("cats/a.png", "cats/b.JPG", "dogs/deep/c.webp"):
        save(tmp_path / name, plain(1))
    for name in ("README.txt", "cats/notes.txt", "cats/Makefile", "dogs/photo.heic"):
        (tmp_path / name).write_text("hello")
    source = load_folder(tmp_path, Reading(8))
    assert source.train.labels.tolist() == [0, 0, 1]
    assert logs.text.count("skipped") == 1
    assert "skipped 4 files that are not images, such as README.txt" in logs.text


def test_a_single_skipped_file_is_named(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "one.png", plain(1))
    (tmp_path / "notes.txt").write_text("hello")
    assert list_pictures(tmp_path) == [tmp_path / "one.png"]
    assert "skipped notes.txt, which is not an image" in logs.text


@pytest.mark.parametrize("name", ["png", "apng", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "pgm"])
def test_images_of_all_formats_are_read(name: str, tmp_path: Path) -> None:
    save(tmp_path / f"a.{name}", plain(200))
    save(tmp_path / f"B.{name.upper()}", plain(200))
    images = load_folder(tmp_path, Reading(8)).train.images
    assert len(images) == 2
    assert images.unique().tolist() == [200]


def test_broken_images_are_skipped_if_asked(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    cut_off(tmp_path / "a" / "1.png")
    save(tmp_path / "a" / "2.png", plain(2))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "3.png").write_text("hello")
    save(tmp_path / "b" / "4.png", plain(4))
    with pytest.raises(InputError, match=r"1\.png cannot be read"):
        load_folder(tmp_path, Reading(8))
    train = load_folder(tmp_path, Reading(8, ignore_invalid=True)).train
    assert train.images[:, 0, 0, 0].tolist() == [2, 4]
    assert train.labels.tolist() == [0, 1]
    (warning,) = [record for record in logs.records if record.levelname == "WARNING"]
    assert warning.getMessage() == "skipped 2 invalid image files, such as 1.png"


def test_a_class_of_broken_images_alone_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", plain(1))
    cut_off(tmp_path / "b" / "2.png")
    with pytest.raises(InputError, match=r"class folder .*b has no valid image"):
        load_folder(tmp_path, Reading(8, ignore_invalid=True))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "there is no folder .*images: set --data.root to the folder of your images"),
        ([], "no images in .*images: put PNG or JPEG files there, one sub-folder per class"),
        (["notes.txt"], r"no images in .*images, only other files such as notes\.txt: put PNG or JPEG"),
        (["full/1.png", "hollow/"], "class folder .*hollow has no images: add some, or remove it"),
        (
            ["full/1.png", "hollow/notes.txt"],
            r"class folder .*hollow has no images, only other files such as notes\.txt: add some",
        ),
        (["full/1.png", "2.png"], r".*2\.png is beside class folders such as full/: put every image into"),
    ],
)
def test_unusable_folders_are_explained(files: list[str] | None, message: str, tmp_path: Path) -> None:
    root = tmp_path / "images"
    if files is not None:
        root.mkdir()
        for name in files:
            if name.endswith("/"):
                (root / name).mkdir(parents=True)
            elif name.endswith(".png"):
                save(root / name, plain(1))
            else:
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_text("hello")
    with pytest.raises(InputError) as caught:
        load_folder(root, Reading(8))
    assert re.match(message, caught.value.for_command_line), caught.value.for_command_line


def test_file_is_not_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "one.png", plain(1))
    with pytest.raises(InputError, match=r"one\.png is a file: set root to the folder"):
        load_folder(tmp_path / "one.png", Reading(8))
