"""Images in color and in grayscale: which of them a folder or a picture is, and what cannot be."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fractalgan.data import ImageData, TargetData
from fractalgan.data.image_set import ImageSet
from fractalgan.data.pictures import Pictures, Reading, read_pictures
from fractalgan.errors import InputError
from tests.data.files import plain, save, shape

RED, GRAY = (200, 30, 40), (90, 90, 90)


def folder(root: Path, colored: int, gray: int = 0) -> Path:
    """So many pictures of a red square on white, and of a gray one."""
    for number in range(colored + gray):
        save(root / f"{number:02d}.png", shape(RED if number < colored else GRAY, 255))
    return root


def read(path: Path, **options) -> Pictures:
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    return read_pictures(paths, Reading(16, **options))


def test_pictures_in_color_keep_their_colors(tmp_path: Path) -> None:
    pictures = read(folder(tmp_path, 2))
    assert pictures.images.shape == (2, 3, 16, 16)
    assert pictures.images[:, :, 8, 8].tolist() == [[*RED]] * 2
    assert pictures.images[:, :, 0, 0].tolist() == [[255] * 3] * 2
    assert not pictures.bright_background  # they are never inverted


@pytest.mark.parametrize(("colored", "gray", "channels"), [(2, 2, 3), (1, 2, 1), (3, 1, 3), (0, 2, 1)])
def test_a_mixed_folder_is_read_as_most_of_it_is_with_a_message(
    colored: int, gray: int, channels: int, tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    images = read(folder(tmp_path, colored, gray)).images
    assert images.shape == (colored + gray, channels, 16, 16)
    assert images[-1, :, 8, 8].tolist() == [90] * channels or not gray
    messages = [record.getMessage() for record in logs.records if "in color" in record.getMessage()]
    assert len(messages) == (colored > 0 and (gray > 0))
    if messages:
        assert messages[0].startswith(f"{colored} of {colored + gray} images are in color")


@pytest.mark.parametrize("channels", [1, 3])
def test_an_explicit_choice_wins(channels, tmp_path: Path) -> None:
    images = read(folder(tmp_path, 1, 1), channels=channels).images
    assert images.shape == (2, channels, 16, 16)
    assert images[1, :, 8, 8].tolist() == [90] * channels


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "P", "RGB", "RGBA"])
def test_pictures_of_other_modes_are_converted(mode: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16), RED)
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    image.save(tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png"))
    (found,) = read(tmp_path).images
    assert found.shape == (3, 16, 16)
    assert (found[:, 8, 8].int() - torch.tensor(RED)).abs().max() <= 3


def test_a_mode_that_cannot_be_converted_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16, 3), 100, np.uint8), "LAB").save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif cannot be read \(conversion from LAB .*\): remove it"):
        read(tmp_path)


def test_sixteen_bits_in_grayscale_and_two_kinds_of_gray(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16), 32768, np.uint16)).save(tmp_path / "deep.png")
    save(tmp_path / "rgb.png", np.repeat(plain(90)[..., None], 3, -1))
    images = read(tmp_path).images
    assert images.shape == (2, 1, 16, 16)
    assert images[:, 0, 8, 8].tolist() == [127, 90]


@pytest.mark.parametrize(
    ("background", "expected"),
    [(None, [255, 255, 255]), ("black", [0, 0, 0]), ("#ff8000", [255, 128, 0]), ("rgb(1,2,3)", [1, 2, 3])],
)
def test_transparent_pictures_in_color_are_put_on_a_background(background, expected, tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", shape(RED, None))
    images = read(path, background=background).images
    assert images[0, :, 0, 0].tolist() == expected
    assert images[0, :, 8, 8].tolist() == [*RED]


def test_gray_transparent_pictures_among_colored_ones_get_the_same_background(tmp_path: Path) -> None:
    save(tmp_path / "a.png", shape(RED, None))
    save(tmp_path / "b.png", shape((220, 220, 220), None))  # light: in grayscale, on black
    images = read(tmp_path).images
    assert images[:, :, 0, 0].unique().tolist() == [255]
    assert images[1, :, 8, 8].tolist() == [220] * 3


def test_a_background_in_grayscale_is_that_which_is_set(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", shape((20, 20, 20), None))
    assert read(path, background="black").images[0, :, 0, 0].tolist() == [0]
    assert read(path).images[0, :, 0, 0].tolist() == [255]


def test_a_background_without_effect_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="background has no effect: no picture is transparent"):
        read(folder(tmp_path, 2), background="white")
    with pytest.raises(InputError, match=r"background has no effect with name=.digits"):
        ImageData("digits", background="white")
    with pytest.raises(InputError, match="background has no effect with name photographs"):
        TargetData("photographs", background="white")
    with pytest.raises(InputError, match="background must be a color such as white"):
        TargetData(path="a.png", background="whitish")


def test_a_folder_in_color_is_not_binarized_or_inverted(tmp_path: Path) -> None:
    data = ImageData("folder", str(folder(tmp_path, 12)), size=16)
    data.setup()
    assert data.sample(3).shape == (3, 3, 16, 16)
    assert data.sample(3).unique().numel() > 2
    for option in ({"binarize": 0.5}, {"invert": True}):
        colored = ImageData("folder", str(tmp_path), size=16, **option)
        with pytest.raises(InputError, match=f"{next(iter(option))} needs images in grayscale"):
            colored.setup()
    gray = ImageData("folder", str(tmp_path), size=16, channels=1)
    gray.setup()
    assert gray.sample(3).shape == (3, 1, 16, 16)
    assert gray.sample(3).unique().tolist() == [0, 1]


def test_targets_in_color_are_not_binarized(tmp_path: Path) -> None:
    targets = TargetData(path=str(folder(tmp_path, 2)), size=16, binarize=0.2)
    with pytest.raises(InputError, match=r"binarize needs images in grayscale.* set channels=1"):
        targets.setup()


@pytest.mark.parametrize("channels", [0, 2, 4, True, "color"])
def test_other_channels_are_an_error(channels) -> None:
    for kind in (ImageData, TargetData):
        with pytest.raises(InputError, match="channels must be 1, 3 or auto, got"):
            kind(channels=channels)


def test_a_single_color_in_all_pictures_is_an_error(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / f"{number}.png", np.full((8, 8, 3), RED, np.uint8))
    with pytest.raises(InputError, match="have a single color"):
        ImageData("folder", str(tmp_path), size=16).setup()
    with pytest.raises(InputError, match=r"0.png has a single color"):
        TargetData(path=str(tmp_path), size=16).setup()


def test_photographs_come_in_color_and_in_grayscale() -> None:
    data = TargetData("photographs", size=24)
    data.setup()
    assert data.targets is not None
    assert data.targets.shape == (2, 3, 24, 24)
    assert (data.targets[:, 0] != data.targets[:, 2]).any()
    gray = TargetData("photographs", size=24, channels=1, count=1)
    gray.setup()
    assert gray.targets is not None
    assert gray.targets.shape == (1, 1, 24, 24)
    with pytest.raises(InputError, match="count must be <= 2, the number of images in photographs, got 3"):
        TargetData("photographs", count=3).setup()


def test_sets_are_converted_between_grayscale_and_color() -> None:
    gray = ImageSet(torch.full((2, 1, 4, 4), 90, dtype=torch.uint8), torch.tensor([0, 1]))
    color = gray.with_channels(3)
    assert color.images.shape == (2, 3, 4, 4)
    assert color.labels.equal(gray.labels)
    assert (color.with_channels(1).images.int() - gray.images).abs().max() <= 1  # torchvision rounds down
    assert color.with_channels(3) is color
