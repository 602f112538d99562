"""Colors of pictures, grids, and animations."""

import math
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from fractalgan.errors import InputError
from fractalgan.ops import Layer, View
from fractalgan.reports import Paint, cell_size, check_animation, picture_grid, write_animation
from fractalgan.reports.animation import zoom_views

NOTHING = torch.zeros(0)


def gray_ramp() -> Layer:
    alpha = torch.linspace(0, 1, 16).view(4, 4)
    return Layer(torch.zeros(0, 4, 4), alpha)


def test_alpha_is_colored_by_the_color_map() -> None:
    for name, paint in (("magma", Paint()), ("viridis", Paint("viridis"))):
        picture = Paint.picture(paint, gray_ramp(), NOTHING)
        expected = matplotlib.colormaps[name](gray_ramp().alpha.numpy(), bytes=True)[..., :3]
        assert picture.mode == "RGB"
        assert np.abs(np.asarray(picture).astype(int) - expected).max() <= 1


def test_background_replaces_the_learned_one() -> None:
    alpha = torch.tensor([[0.0, 1.0]])
    layer = Layer(torch.tensor([1.0, 0.5, 0.0])[:, None, None] * alpha, alpha)
    learned = torch.tensor([0.0, 1.0, 1.0])
    assert np.asarray(Paint().picture(layer, learned)).tolist() == [[[0, 255, 255], [255, 127, 0]]]
    white = np.asarray(Paint(background="white").picture(layer, learned))
    assert white.tolist() == [[[255, 255, 255], [255, 127, 0]]]
    clear = Paint(background="transparent").picture(layer, learned)
    assert clear.mode == "RGBA"
    assert np.asarray(clear)[0, :, 3].tolist() == [0, 255]


def test_gray_levels_are_gray_unless_a_color_map_is_given() -> None:
    layer = Layer(torch.full((1, 2, 2), 0.5), torch.ones(2, 2))
    gray = np.asarray(Paint().picture(layer, torch.zeros(1)))
    assert (np.abs(gray.astype(int) - 127) <= 1).all()
    colored = np.asarray(Paint("magma").picture(layer, torch.zeros(1)))
    assert (colored[0, 0] == matplotlib.colormaps["magma"](0.5, bytes=True)[:3]).all()


@pytest.mark.parametrize(
    ("paint", "features", "message"),
    [
        (Paint("magma"), 3, "colormap has no effect"),
        (Paint("virdis"), 0, "did you mean viridis"),
        (Paint("???"), 0, "use magma"),
        (Paint(background="whitish"), 0, "background must be transparent or a color"),
    ],
)
def test_paint_that_does_not_exist_is_refused(paint, features, message) -> None:
    with pytest.raises(InputError, match=message):
        paint.check(features)


@pytest.mark.parametrize(
    ("count", "size"), [(1, 100), (2, 100), (9, 300), (100, 1024), (100, 64), (7, 33), (1, 1)]
)
def test_grid_has_the_width_that_is_asked_for(count: int, size: int) -> None:
    cell = cell_size(size, count)
    grid = picture_grid([Image.new("RGB", (cell, cell), (0, 0, 100 + k)) for k in range(count)], size)
    columns = math.ceil(math.sqrt(count))
    assert grid.width == size
    assert grid.height == size or count < columns * columns
    pixels = np.asarray(grid)[..., 2]
    gap = pixels == 64
    assert [int((pixels == 100 + k).sum()) for k in range(count)] == [cell * cell] * count
    across = gap.all(0)
    assert not across[[0, -1]].any()
    assert across.sum() == size - columns * cell >= columns - 1
    assert cell * columns >= 0.85 * size - columns


def test_zoom_magnifies_by_the_same_factor_from_frame_to_frame() -> None:
    views = list(zoom_views(View((0.5, -0.2), 2.5e-4), 2.5, 9))
    assert views[0] == View((0.0, 0.0), 2.5)
    assert views[-1].center == pytest.approx((0.5, -0.2))
    assert views[-1].half == pytest.approx(2.5e-4)
    ratios = [after.half / before.half for before, after in pairwise(views)]
    assert ratios == pytest.approx([ratios[0]] * 8)
    places = [(0.5 - view.center[0]) / view.half for view in views]  # of the last center, on the screen
    assert np.diff(places) == pytest.approx([-0.2 / 8] * 8)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".mp4"])
def test_animation_has_all_frames(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"film{suffix}"
    check_animation(path)
    frames = [Image.new("RGB", (17, 17), (40 * number, 255 - 40 * number, 0)) for number in range(6)]
    write_animation(path, iter(frames), 10)
    if suffix == ".mp4":
        import av

        with av.open(str(path)) as container:
            shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(shown) == 6
        assert np.abs(shown[5][8, 8].astype(int) - [200, 55, 0]).max() < 40
    else:
        with Image.open(path) as film:
            assert film.n_frames == 6
            assert film.info["loop"] == 0
            film.seek(5)
            assert np.abs(np.asarray(film.convert("RGB"))[8, 8].astype(int) - [200, 55, 0]).max() < 12
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_other_suffix_is_refused_and_so_is_mp4_without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="must end in"):
        check_animation(Path("film.avi"))
    monkeypatch.setattr("fractalgan.errors.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"^film.mp4, unlike a .gif, needs av, which is missing"):
        check_animation(Path("film.mp4"))
    check_animation(Path("film.gif"))
