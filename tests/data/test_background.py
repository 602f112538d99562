"""Bright backgrounds are inverted, and transparent pictures get a background that shows them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fractalgan.data import ImageData, TargetData
from fractalgan.data.background import have_bright_background, is_majority
from fractalgan.data.fractaldb import fractaldb_images
from fractalgan.data.pictures import Reading, read_pictures
from fractalgan.data.sources import load
from fractalgan.errors import InputError
from tests.data.files import plain, save, shape

MESSAGE = (
    "--data.invert auto: the images have a bright background, so they are inverted"
    " (set --data.invert false to keep them)"
)


def folder_of(root: Path, dark_on_bright: int, bright_on_dark: int, **options: object) -> ImageData:
    """Data from a new folder with so many drawings of each kind."""
    for number in range(dark_on_bright + bright_on_dark):
        dark = number < dark_on_bright
        save(root / f"{number:02d}.png", shape(20 if dark else 230, 240 if dark else 10))
    data = ImageData("folder", str(root), size=16, binarize=None, **options)  # type: ignore[arg-type]
    data.setup()
    return data


def center_and_corner(images: Tensor) -> list[tuple[float, float]]:
    """The levels of each image there, rounded."""
    return [(round(each[0, 8, 8].item(), 1), round(each[0, 0, 0].item(), 1)) for each in images]


def test_the_outline_tells_the_background() -> None:
    images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    images[1, :, 1:-1, 1:-1] = 255  # bright but for the outline
    images[2], images[2, :, 1:-1, 1:-1] = 255, 0  # dark but for it
    images[3, :, :, :3] = 255  # bright on the left: 12 of 28 pixels
    assert have_bright_background(images).tolist() == [False, False, True, False]
    assert have_bright_background(255 - images).tolist() == [True, True, False, True]


def test_more_than_half_is_a_majority() -> None:
    assert not is_majority(torch.tensor([True, False]))
    assert is_majority(torch.tensor([True, False, True]))


def test_dark_drawings_are_inverted_with_a_message(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    data = folder_of(tmp_path, dark_on_bright=6, bright_on_dark=4)
    assert data.prepare.invert
    assert [record.getMessage() for record in logs.records if "--data.invert" in record.getMessage()] == [
        MESSAGE
    ]
    for images in (data.train_images, data.validation_images, data.test_images):
        assert images is not None
        levels = center_and_corner(images[torch.arange(len(images))][0])
        assert set(levels) <= {(0.9, 0.1), (0.1, 1.0)}
    assert center_and_corner(data.sample(10)).count((0.9, 0.1)) == 6 - 2  # one of 2 test images


def test_bright_drawings_are_not_inverted(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    data = folder_of(tmp_path, dark_on_bright=4, bright_on_dark=6)
    assert not data.prepare.invert
    assert "invert" not in logs.text


@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize("dark", [0, 6])
def test_an_explicit_choice_wins(
    invert: bool, dark: int, tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    data = folder_of(tmp_path, dark_on_bright=dark, bright_on_dark=6 - dark, invert=invert)
    assert data.prepare.invert is invert
    assert "--data.invert auto" not in logs.text
    shown = (0.1, 0.9) if bool(dark) != invert else (0.9, 0.1)
    assert {(round(a), round(b)) for a, b in center_and_corner(data.sample(6))} == {tuple(map(round, shown))}


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_data_sets_known_by_name_are_never_inverted(name: str, mnist_like: Callable[[str], Path]) -> None:
    """Not even with images that look as if they should be."""
    root = mnist_like(name)
    for path in (root / name / "raw").glob("*-images-idx3-ubyte"):
        content = path.read_bytes()
        path.write_bytes(content[:16] + b"\xff" * (len(content) - 16))
    data = ImageData(name, str(root))  # type: ignore[arg-type]
    data.setup()
    assert not data.prepare.invert


def test_digits_and_fractaldb_have_a_dark_background() -> None:
    assert not have_bright_background(load("digits", Path(), Reading(32)).train.images).any()
    assert not have_bright_background(fractaldb_images(10, 16, 0)).any()
    for name in ("digits", "fractaldb"):
        data = TargetData(name, count=3, size=16)  # type: ignore[arg-type]
        data.setup()
        assert not data.prepare.invert


def test_own_targets_are_inverted_alike(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    path = save(tmp_path / "cat.png", shape(20, 240))
    for invert, levels in {"auto": (0.9, 0.1), False: (0.1, 0.9)}.items():
        data = TargetData(path=str(path), size=16, invert=invert)  # type: ignore[arg-type]
        data.setup()
        assert center_and_corner(data.sample(1)) == [levels]
    assert logs.text.count(MESSAGE) == 1


def test_wrong_choices_are_refused() -> None:
    with pytest.raises(InputError, match="invert must be true, false or auto, got 'yes'"):
        ImageData(invert="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("level", "read"),
    [
        (255, (1.0, 0.0)),  # light shapes would vanish on white
        (0, (0.0, 1.0)),
        ((255, 0, 0), (0.3, 1.0)),
        ((255, 220, 0), (0.8, 0.0)),
        ((0, 0, 255), (0.1, 1.0)),
    ],
)
def test_transparent_pictures_get_the_background_that_shows_them(
    level: int | tuple[int, int, int], read: tuple[float, float], tmp_path: Path
) -> None:
    images = read_pictures([save(tmp_path / "a.png", shape(level, None))], Reading(16, channels=1)).images
    assert center_and_corner(images / 255) == [read]


def test_white_shapes_are_their_alpha(tmp_path: Path) -> None:
    pixels = shape(255, None)
    pixels[4:12, 4:12, 3] = torch.arange(0, 256, 4).reshape(8, 8).numpy()
    images = read_pictures([save(tmp_path / "a.png", pixels)], Reading(16, channels=1)).images
    assert torch.from_numpy(pixels[..., 3]).sub(images[0, 0]).abs().max() <= 1


def test_empty_and_opaque_pictures_with_alpha(tmp_path: Path) -> None:
    empty, opaque = shape(255, None), shape(200, 150)
    empty[..., 3] = 0
    paths = [save(tmp_path / "a.png", empty), save(tmp_path / "b.png", opaque)]
    images = read_pictures(paths, Reading(16, channels=1)).images
    assert images[0].unique().tolist() == [255]
    assert center_and_corner(images[1:] / 255) == [(0.8, 0.6)]


@pytest.mark.parametrize(("white", "black"), [(3, 2), (2, 3), (0, 4), (4, 0)])
def test_transparent_pictures_of_a_set_get_one_background(
    white: int, black: int, tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    """Whatever is more in a set, all shapes are bright on dark in the end."""
    for number in range(white + black):
        save(tmp_path / f"{number}.png", shape(255 if number < white else 0, None))
    data = TargetData(path=str(tmp_path), size=16)
    data.setup()
    assert data.prepare.invert == (black > white)
    assert center_and_corner(data.sample(10)) == [(1.0, 0.0)] * (white + black)
    odd = min(white, black)
    assert logs.text.count("inverted, as most backgrounds are") == (odd > 0)
    shapes = "light" if black > white else "dark"
    assert f"{odd} of {white + black} images have {shapes} shapes" in logs.text or not odd


def test_transparent_pictures_follow_opaque_ones(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"drawing{number}.png", shape(20, 240))
    save(tmp_path / "white.png", shape(255, None))
    save(tmp_path / "black.png", shape(0, None))
    data = TargetData(path=str(tmp_path), size=16)
    data.setup()
    assert data.prepare.invert
    assert {(round(a), round(b)) for a, b in center_and_corner(data.sample(5))} == {(1, 0)}


def test_opaque_pictures_are_never_made_negatives(tmp_path: Path) -> None:
    levels = [(20, 240), (20, 240), (230, 10)]
    paths = [save(tmp_path / f"{k}.png", shape(*each)) for k, each in enumerate(levels)]
    images = read_pictures(paths, Reading(16, channels=1)).images
    assert [(each[0, 8, 8].item(), each[0, 0, 0].item()) for each in images] == levels


@pytest.mark.parametrize(
    ("level", "options", "message"),
    [
        (250, {"invert": False}, r"mostly bright \(mean 0.98\), but .*: set --data.invert true"),
        (5, {"invert": True}, r"mostly bright \(mean 0.98\), but .*: set --data.invert false"),
        (20, {"binarize": 0.5}, r"nearly black \(mean 0.000\): set a lower --data.binarize, or null"),
        (0, {}, r"nearly black \(mean 0.000\): check the files"),
    ],
)
def test_bright_and_black_images_are_warned_of(
    level: int, options: dict[str, object], message: str, tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    for number in range(9):
        save(tmp_path / f"{number}.png", plain(level))
    dotted = plain(level, 32, 32)
    dotted[16, 16] = 255 - level  # without it, all would have a single color
    save(tmp_path / "9.png", dotted)
    data = ImageData("folder", str(tmp_path), **{"binarize": None} | options)  # type: ignore[arg-type]
    data.setup()
    (warning,) = [record for record in logs.records if record.levelname == "WARNING"]
    assert re.search(message, warning.getMessage())


@pytest.mark.parametrize(
    ("level", "binarize", "message"),
    [
        (0, 0.5, "all 9 images in .* have a single color: choose other images"),
        (90, 0.5, "all 9 images in .* single color after --data.binarize 0.5: set another threshold or null"),
        (90, 0.2, None),
        (90, None, None),
    ],
)
def test_images_of_a_single_color_are_refused(
    level: int, binarize: float | None, message: str | None, tmp_path: Path
) -> None:
    for number in range(9):
        save(tmp_path / f"{number}.png", shape(level, 0))
    data = ImageData("folder", str(tmp_path), binarize=binarize)
    if message is None:
        data.setup()
        return
    with pytest.raises(InputError) as caught:
        data.setup()
    assert re.match(message, caught.value.for_command_line)
