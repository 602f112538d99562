"""`draw`: pictures and animations of fractals."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fractalgan.cli.program import run
from tests.reports.runs import generator


@pytest.fixture
def draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run ``draw`` in an empty folder: ``draw("digits", ...) -> status, stdout, stderr``."""
    monkeypatch.chdir(tmp_path)

    def give(*arguments: str) -> tuple[int, str, str]:
        status = run(["draw", *arguments])
        return (status, *capsys.readouterr())

    return give


def test_grid_of_all_fractals_is_named_after_its_source(draw, tmp_path: Path) -> None:
    for name in ("digits.png", "digits-2.png"):
        status, out, _ = draw("digits", "--size", "200")
        assert status == 0
        assert f"written to {name}" in out
        assert "draw digits --fractals 0 --zoom 1000" in out
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (200, 200)
            assert np.asarray(picture).std() > 10


def test_folder_gets_a_picture_of_each_in_the_size_that_is_asked_for(draw, tmp_path: Path) -> None:
    options = ("--fractals", "3", "7", "--size", "40", "--zoom", "100", "--background", "transparent")
    assert draw("fashion-mnist", *options, "--out", "pictures")[0] == 0
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["003.png", "007.png"]
    with Image.open(tmp_path / "pictures/003.png") as picture:
        assert (picture.mode, picture.size) == ("RGBA", (40, 40))


def test_same_command_makes_the_same_file(draw, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.jpg"):
        assert draw("digits", "--fractals", "7", "--zoom", "50", "--size", "32", "--out", name)[0] == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("kind", ["zoom", "morph"])
@pytest.mark.parametrize("source", ["digits", "color.safetensors"])
def test_animation(draw, kind: str, source: str, tmp_path: Path) -> None:
    generator(3).save(tmp_path / "color.safetensors")
    fractals = ["1"] if kind == "zoom" else ["0", "1"]
    options = ("--animate", kind, "--seconds", "0.4", "--fps", "10", "--size", "24")
    status, out, _ = draw(source, "--fractals", *fractals, *options)
    name = source.replace(".safetensors", "") + ".gif"
    assert (status, f"written to {name}" in out) == (0, True)
    with Image.open(tmp_path / name) as film:
        assert (film.n_frames, film.size) == (4, (24, 24))


def test_view_of_nothing_is_said(draw) -> None:
    options = ("--fractals", "3", "--zoom", "100", "--center", "2.4", "2.4", "--size", "16")
    status, _, err = draw("fashion-mnist", *options)
    assert status == 0
    assert "this view shows nothing of fractal 3" in err


def test_file_that_exists_is_kept(draw, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"my cat")
    status, _, err = draw("digits", "--out", "cat.png")
    message = "fractalgan: error: cat.png exists already: set another --out, or --overwrite true\n"
    assert (status, err) == (2, message)
    assert (tmp_path / "cat.png").read_bytes() == b"my cat"
    assert (
        draw("digits", "--fractals", "1", "--size", "16", "--out", "cat.png", "--overwrite", "true")[0] == 0
    )
    assert (tmp_path / "cat.png").read_bytes() != b"my cat"


@pytest.mark.parametrize("out", ["folder.png", "file"])
def test_folder_is_no_file_and_a_file_is_no_folder(draw, out: str, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    status, _, err = draw("digits", "--fractals", "1", "--out", out, "--overwrite", "true")
    assert (status, err) == (2, f"fractalgan: error: {out} exists already: set another --out\n")


def test_folder_that_exists_is_filled_if_it_may_be(draw, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    options = ("digits", "--fractals", "1", "--size", "16", "--out", "pictures")
    assert draw(*options)[::2] == (
        2,
        "fractalgan: error: pictures exists already: set another --out, or --overwrite true\n",
    )
    assert draw(*options, "--overwrite", "true")[0] == 0
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["001.png"]


@pytest.mark.parametrize("index", ["100", "-1", "x", "1.5"])
def test_indices_are_refused_as_by_export(draw, index: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = draw("digits", "--fractals", "0", index)
    assert run(["export", "digits", "--out", "a.ifs", "--fractals", "0", index]) == status == 2
    assert capsys.readouterr().err == err
    assert err.startswith("fractalgan: error: --fractals must be in")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing-here"], "there are no fractals 'nothing-here'"),
        (["digits", "--fractals", "100"], "--fractals must be in 0 to 99, got 100"),
        (["digits", "--size", "9000"], "--size must be <= 8192, got 9000"),
        (["digits", "--zoom", "1e20"], "--zoom must be <= 1"),
        (["digits", "--zoom", "-1"], "--zoom"),
        (["digits", "--centre", "0", "0"], "did you mean --center?"),
        (["digits", "--out", "picture.bmp"], "out must end in .png"),
        (["digits", "--colormap", "virdis"], "did you mean viridis?"),
        (["digits", "--background", "transparent", "--out", "a.jpg"], "no transparent background"),
        (["digits", "--fps", "10"], "fps has no effect on a picture"),
        (["digits", "--animate", "zoom"], "needs one fractal"),
        (["digits", "--fractals", "1", "--animate", "morph"], "needs two or more fractals"),
        (["digits", "--animate", "morph", "--out", "film.avi"], "must end in .gif"),
        (["digits", "--animate", "morph", "--seconds", "1e9"], "--seconds must be <= 100"),
        ([], "source"),
    ],
)
def test_invalid_options_get_one_clear_line(draw, arguments, message, tmp_path: Path) -> None:
    status, _, err = draw(*arguments)
    assert status == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
