import torch

from fractalgan.callbacks.pictures import side_by_side
from fractalgan.nn.grid import GAP_LEVEL, grid


def test_grid_shows_each_pixel_as_two_by_two_in_order() -> None:
    images = torch.zeros(12, 1, 16, 16)
    images[11] = 1  # second row, second column
    picture = grid(images)
    assert picture.shape == (3, 2 + 2 * (32 + 2), 2 + 10 * (32 + 2))
    assert (picture[:, 36:68, 36:68] == 1).all()
    assert (picture[:, 2:34, 2:34] == 0).all()
    assert (picture[:, :2] == GAP_LEVEL).all()


def test_few_images_are_shown_larger() -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[..., 0, 0] = 1
    picture = grid(images)
    assert picture.shape == (3, 256, 256)
    assert (picture[:, :32, :32] == 1).all()
    assert (picture[0] == 1).sum() == 32 * 32


def test_side_by_side_keeps_the_order() -> None:
    from PIL import Image

    row = side_by_side([Image.new("RGB", (5, 4), color) for color in ("red", "blue")])
    assert row.size == (5 + 16 + 5, 4)
    assert row.getpixel((0, 0)) == (255, 0, 0)
    assert row.getpixel((25, 0)) == (0, 0, 255)
