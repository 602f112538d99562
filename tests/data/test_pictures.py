"""Reading picture files: sizes, colors, depths, and files that cannot be read."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fractalgan.data.pictures import Reading, image_suffixes, read_pictures
from fractalgan.errors import InputError
from tests.data.files import cut_off, plain, save


def read(folder: Path, size: int) -> Tensor:
    return read_pictures(sorted(folder.iterdir()), Reading(size, channels=1)).images


def test_mixed_sizes_are_resized_with_one_message(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    for number, side in enumerate([8, 20, 64, 20]):
        save(tmp_path / f"{number}.png", plain(50, side, 2 * side))
    assert read(tmp_path, 16).shape == (4, 1, 16, 16)
    assert logs.text.count("resized to 16 x 16") == 1
    assert "3 sizes, from 8 x 16 to 64 x 128" in logs.text
    assert "some images are not square" in logs.text


def test_color_images_are_converted_with_one_message(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    save(tmp_path / "red.png", red)
    save(tmp_path / "gray_as_rgb.png", np.repeat(plain(90)[..., None], 3, -1))
    images = read(tmp_path, 8)
    assert images[0].unique().tolist() == [90]
    assert images[1].unique().tolist() == [76]  # ITU-R 601: 0.299 * 255
    assert logs.text.count("1 of 2 images are in color") == 1


def test_sixteen_bit_images_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 32768], [65535, 0]], np.uint16)).save(tmp_path / "deep.png")
    values = read(tmp_path, 2).flatten()
    assert torch.tensor([0, 127, 255, 0]).sub(values).abs().max() <= 1


def test_suffixes_are_those_of_the_formats_that_are_read() -> None:
    assert {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".webp", ".ppm"} <= image_suffixes()
    assert not {".pdf", ".eps", ".txt", ".ico", ".mpg", ""} & image_suffixes()


def test_broken_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("hello")
    with pytest.raises(InputError) as caught:
        read(tmp_path, 8)
    message = f"{tmp_path}/notes.png is not an image file: remove it or set --data.ignore_invalid true"
    assert caught.value.for_command_line == message
    assert str(caught.value).endswith("remove it or set ignore_invalid=True")


def test_truncated_image_is_named(tmp_path: Path) -> None:
    cut_off(tmp_path / "cut.png")
    with pytest.raises(InputError, match=r"cut\.png cannot be read \(.+\): remove it or set ignore_invalid"):
        read(tmp_path, 8)


def test_which_files_were_read_is_known(tmp_path: Path) -> None:
    paths = [cut_off(tmp_path / "a.png"), save(tmp_path / "b.png", plain(7)), tmp_path / "missing.png"]
    pictures = read_pictures(paths, Reading(8, ignore_invalid=True))
    assert pictures.read == [1]
    assert pictures.images.unique().tolist() == [7]


def test_broken_files_alone_are_no_images(tmp_path: Path) -> None:
    paths = [cut_off(tmp_path / "a.png"), cut_off(tmp_path / "b.png")]
    with pytest.raises(InputError, match=r"none of 2 image files can be read, such as .*a\.png"):
        read_pictures(paths, Reading(8, ignore_invalid=True))


def scene(side: int, mode: str) -> Image.Image:
    """A bright disc off the center, on nothing where the mode knows transparency."""
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
    small, large = (read(tmp_path / side, 32).float() for side in ("400", "2400"))
    assert small.std() > 50
    assert (small - large).abs().mean() < 1


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize(
    ("side", "message"), [(10_000, "10000 x 10000 pixels are too many"), (60_000, "bomb")]
)
def test_more_pixels_than_memory_should_hold_are_refused(tmp_path: Path, side: int, message: str) -> None:
    size = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)  # black and white
    chunks = {b"IHDR": size, b"IDAT": zlib.compress(bytes(1000)), b"IEND": b""}
    (tmp_path / "some.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + b"".join(map(png_chunk, chunks, chunks.values()))
    )
    with pytest.raises(InputError, match=message):
        read(tmp_path, 32)


def test_a_progressive_jpeg_is_held_whole_and_so_is_limited(tmp_path: Path) -> None:
    Image.new("L", (8000, 6000), 200).save(tmp_path / "photo.jpg", progressive=True)
    with pytest.raises(InputError, match="8000 x 6000 pixels are too many"):
        read(tmp_path, 32)


def test_a_photograph_may_have_more_of_them(tmp_path: Path) -> None:
    Image.new("L", (8000, 6000), 200).save(tmp_path / "photo.jpg")
    assert read(tmp_path, 32).float().mean() == pytest.approx(200, abs=1)
