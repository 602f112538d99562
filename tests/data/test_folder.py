from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fractalgan.data.folder import load_folder
from fractalgan.errors import InputError


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path)


def plain(value: int, height: int = 8, width: int = 8) -> np.ndarray:
    return np.full((height, width), value, np.uint8)


def test_sub_folders_are_the_classes(image_folder: Path) -> None:
    source = load_folder(image_folder, 16)
    assert source.classes == ["bars", "squares"]
    assert source.train.images.shape == (24, 1, 16, 16)
    assert source.train.labels.tolist() == [0] * 12 + [1] * 12
    assert source.test is None


def test_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for value in range(3):
        save(tmp_path / f"{value}.png", plain(100 * value))
    source = load_folder(tmp_path, 8)
    assert source.classes == []
    assert source.train.labels.tolist() == [-1, -1, -1]
    assert source.train.images[:, 0, 0, 0].tolist() == [0, 100, 200]


def test_mixed_sizes_are_resized_and_said_once(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    for number, side in enumerate([8, 20, 64, 20]):
        save(tmp_path / f"{number}.png", plain(50, side, 2 * side))
    assert load_folder(tmp_path, 16).train.images.shape == (4, 1, 16, 16)
    assert said.text.count("resized to 16 x 16") == 1
    assert "3 sizes, from 8 x 16 to 64 x 128" in said.text


def test_colour_images_are_converted_and_said_once(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    save(tmp_path / "red.png", red)
    save(tmp_path / "grey_as_rgb.png", np.repeat(plain(90)[..., None], 3, -1))
    images = load_folder(tmp_path, 8).train.images
    assert images[0].unique().tolist() == [90]
    assert images[1].unique().tolist() == [76]  # ITU-R 601: 0.299 * 255
    assert said.text.count("1 of 2 images are coloured") == 1


def test_transparent_ground_counts_as_white(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:4, :, 3] = 255
    save(tmp_path / "drawing.png", pixels)
    rows = load_folder(tmp_path, 8).train.images[0, 0, :, 0]
    assert rows.tolist() == [255, 255, 0, 0, 255, 255, 255, 255]


def test_sixteen_bit_images_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 32768], [65535, 0]], np.uint16)).save(tmp_path / "deep.png")
    values = load_folder(tmp_path, 2).train.images.flatten()
    assert torch.tensor([0, 127, 255, 0]).sub(values).abs().max() <= 1


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    save(tmp_path / "one.png", plain(1))
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    assert len(load_folder(tmp_path, 8).train) == 1


def test_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png", plain(1))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"notes\.txt cannot be read as an image \(no image file\)"):
        load_folder(tmp_path, 8)


def test_image_that_was_cut_off_is_named(tmp_path: Path) -> None:
    save(tmp_path / "cut.png", np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.png cannot be read"):
        load_folder(tmp_path, 8)


@pytest.mark.parametrize("case", ["missing", "empty", "empty class", "loose file", "a file"])
def test_wrong_folders_are_explained(case: str, tmp_path: Path) -> None:
    root = tmp_path / "images"
    if case == "a file":
        root.write_text("")
    elif case != "missing":
        root.mkdir()
    if case == "empty class":
        save(root / "full" / "one.png", plain(1))
        (root / "hollow").mkdir()
    if case == "loose file":
        save(root / "full" / "one.png", plain(1))
        save(root / "two.png", plain(1))
    expected = {
        "missing": "no folder",
        "a file": "no folder",
        "empty": "no images in",
        "empty class": "class folder .*hollow is empty",
        "loose file": r"two\.png lies beside class folders such as full/",
    }
    with pytest.raises(InputError, match=expected[case]):
        load_folder(root, 8)


def scene(side: int, mode: str) -> Image.Image:
    """A bright disc off the centre, on nothing where the mode knows transparency."""
    rows, columns = np.mgrid[:side, :side] / side
    disc = ((rows - 0.3) ** 2 + (columns - 0.6) ** 2 < 0.04).astype(np.uint8)
    layers = {"L": [disc], "RGB": [disc] * 3, "RGBA": [0 * disc] * 3 + [disc]}[mode]
    return Image.fromarray(np.stack(layers, -1).squeeze() * 255)


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("RGB", "a.png"), ("RGBA", "a.png"), ("RGB", "a.jpg")]
)
def test_a_very_large_image_is_the_same_made_small(tmp_path: Path, mode: str, name: str) -> None:
    for side in (400, 2400):
        (tmp_path / str(side)).mkdir()
        image = scene(side, mode)
        exif = image.getexif()
        exif[0x0112] = 6  # to be turned by a quarter
        image.save(tmp_path / str(side) / name, exif=exif)
    small, large = (load_folder(tmp_path / side, 32).train.images.float() for side in ("400", "2400"))
    assert small.std() > 50
    assert (small - large).abs().mean() < 1


@pytest.mark.parametrize(
    ("side", "message"), [(10_000, "10000 x 10000 pixels are too many"), (60_000, "bomb")]
)
def test_more_pixels_than_memory_should_hold_are_refused(tmp_path: Path, side: int, message: str) -> None:
    Image.new("1", (side, side)).save(tmp_path / "some.png")
    assert (tmp_path / "some.png").stat().st_size < 1_000_000
    with pytest.raises(InputError, match=message):
        load_folder(tmp_path, 32)


def test_a_progressive_jpeg_is_held_whole_and_so_is_limited(tmp_path: Path) -> None:
    Image.new("L", (8000, 6000), 200).save(tmp_path / "photo.jpg", progressive=True)
    with pytest.raises(InputError, match="8000 x 6000 pixels are too many"):
        load_folder(tmp_path, 32)


def test_a_photograph_may_have_more_of_them(tmp_path: Path) -> None:
    Image.new("L", (8000, 6000), 200).save(tmp_path / "photo.jpg")
    assert load_folder(tmp_path, 32).train.images.float().mean() == pytest.approx(200, abs=1)
