"""The benchmarks run and print what they promise; what they measure is not checked here."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import matplotlib
import pytest
import torch
from PIL import Image

from fractalgan.ops import composite
from tests.data.files import save, shape

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

Lines = Callable[..., list[dict]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a benchmark as if it were run from its folder."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def lines(
    load: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Lines:
    """Run a benchmark in an empty folder and return its JSON lines: ``lines("render", "--quick")``."""

    def run(name: str, *options: str) -> list[dict]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *options])
        assert not load(name).main()
        printed = capsys.readouterr().out.splitlines()
        return [json.loads(line) for line in printed if line.startswith("{")]

    return run


def test_render(lines: Lines) -> None:
    about, *cases = lines("render", "--quick", "--repeats", "1")
    assert about["gflops"] > 0
    assert [(case["form"], case["backward"]) for case in cases] == [
        (form, backward) for backward in (False, True) for form in ("literal", "dense", "separable", "fused")
    ]
    for case in cases:
        assert case["us_image"] > 0
    for fused in (case for case in cases if case["form"] == "fused"):
        # 300 points of 8 x 8 pixels, once forward and twice backward
        assert fused["multiply_adds"] == 300 * 64 * (3 if fused["backward"] else 1)
        assert fused["share_of_floor"] > 0


def test_chains(lines: Lines) -> None:
    found = lines("chains", "--num-points=2048", "--size=16", "--repeats=2")
    assert [line["chains"] for line in found] == [1, 2, 8, 64, 512]
    assert found[0]["ratio"] == 1
    assert all(0 < line["ms_forward"] < line["ms"] for line in found)


def test_gan_step(lines: Lines, tmp_path: Path) -> None:
    small = ["--data.size=16", "--data.batch_size=8", "--model.num_fractals=4", "--model.num_points=20"]
    (line,) = lines("gan_step", "--trainer.accelerator=cpu", *small)
    assert {"sampling", "rendering", "discriminator", "optimizers", "logging", "rest"} <= set(line["ms"])
    assert 0 < line["outside_discriminator"] < 1
    assert list(tmp_path.iterdir()) == []


def test_reconstruction(lines: Lines, tmp_path: Path) -> None:
    small = ["--trainer.accelerator=cpu", "--data.size=16", "--model.num_points=20"]
    found = lines("reconstruction", "--targets", "2", "4", "--steps", "2", *small)
    assert [line["targets"] for line in found] == [2, 4]
    for line in found:
        assert 0 < line["outside_renderer"] < 1
        assert line["images_per_second"] > 0
    assert list(tmp_path.iterdir()) == []


def test_free_points(lines: Lines) -> None:
    (line,) = lines("free_points", "--data=digits", "--gray", "--count=3", "--steps=30", "--size=16")
    assert (line["data"], line["targets"], line["points"]) == ("digits", 3, 75)
    assert 0 < line["mse"] <= min(line["by_piles"].values())
    assert all(line["points"] % int(piles) == 0 for piles in line["by_piles"])


def test_free_point_goes_to_the_only_bright_pixel(load: Callable[[str], ModuleType]) -> None:
    targets = torch.zeros(1, 9, 9)
    targets[0, 4, 4] = 1
    (mse,) = load("free_points").lowest_mse(targets, 1, 1.0, 1.0, 200)
    axis = torch.exp(-((torch.arange(9) - 4.0) ** 2))
    assert mse.item() == pytest.approx(
        (torch.outer(axis, axis) - targets[0]).square().mean().item(), abs=1e-5
    )


@pytest.mark.timeout(300)
def test_own_pictures(lines: Lines, tmp_path: Path) -> None:
    small = ["--size=16", "--picture=own.png", "--model.num_transforms=3", "--model.halvings=[1]"]
    small += ["--trainer.max_steps=3", "--trainer.val_check_interval=3", "--trainer.accelerator=cpu"]
    found = lines("own_pictures", *small)
    assert [line["picture"] for line in found] == ["cat", "leaf", "logo", "letter"]
    assert all(0 < line["iou"] < 1 for line in found)
    assert [path.name for path in tmp_path.iterdir()] == ["own.png"]


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("warm_workers")
def test_pseudo_classes(lines: Lines) -> None:
    small = ["--data=digits", "--fractals=digits", "--images-per-class=3", "--steps=60", "--seeds=1"]
    found = {
        (case["images"], case.get("points"), case.get("window"), case.get("num_points")): case["accuracy"]
        for case in lines("pseudo_classes", *small)
    }
    assert found.keys() == {
        ("random", None, 2.5, None),
        ("random", None, 1.5, None),
        ("random", None, 1.5, 30),
        ("learned", None, None, None),
        ("exemplars", 300, None, None),
        ("exemplars", 100, None, None),
        ("clusters", 100, None, None),
        ("true classes", 100, None, None),
        ("true classes", None, None, None),
    }
    assert all(0.9 < accuracy < 1 for accuracy in found.values())


def test_stippled_images_have_their_points_where_the_image_is_bright(
    load: Callable[[str], ModuleType],
) -> None:
    module = load("pseudo_classes")
    images = torch.zeros(2000, 1, 32, 32, dtype=torch.uint8)
    images[:, :, 8, 8], images[:, :, 24, 24] = 200, 100
    drawn = module.stippled(images, 1, 0.0, torch.Generator().manual_seed(0)).squeeze(1)
    upper, lower = (drawn[:, rows, rows].flatten(1).amax(1) > 0 for rows in (slice(0, 16), slice(16, 32)))
    assert (upper ^ lower).all()  # a single point, at one place or the other
    assert 0.62 < upper.float().mean() < 0.71  # twice as often at the brighter one


def test_gan_recipes(lines: Lines, tmp_path: Path) -> None:
    """Every recipe is one that FractalGAN accepts; finished runs are not repeated."""
    small = ["--data.size=16", "--data.batch_size=8", "--model.num_fractals=4", "--model.num_points=20"]
    small += ["--trainer.accelerator=cpu", "--trainer.max_steps=2", "--trainer.val_check_interval=2"]
    options = ["--data", "digits", "--runs", str(tmp_path / "runs"), *small, "--trainer.callbacks.steps=5"]
    first = lines("gan_recipes", *options)
    assert [line["recipe"] for line in first] == list(importlib.import_module("gan_recipes").RECIPES)
    assert all({"val/shape_distance", "val/recognized"} <= line["metrics"].keys() for line in first)
    assert lines("gan_recipes", *options) == first


def test_glyphs(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a font that matplotlib brings, which draws a box where it has no character."""
    glyphs, font = load("glyphs"), matplotlib.get_data_path() + "/fonts/ttf/DejaVuSans.ttf"
    monkeypatch.setattr(glyphs, "fonts", lambda: [font])
    monkeypatch.setattr(sys, "argv", ["glyphs.py", str(tmp_path / "glyphs"), "--per_class", "2"])
    glyphs.main()
    folders = sorted((tmp_path / "glyphs").iterdir())
    assert len(folders) == 90
    for path in folders[0].iterdir():
        with Image.open(path) as image:
            assert image.size == (64, 64)
            assert image.getextrema()[1] > 200


def test_features(lines: Lines) -> None:
    found = lines("features", "--repeats", "1", "--features", "0", "1")
    assert [case["features"] for case in found] == [0, 1]
    assert found[0]["ratio"] == 1
    assert all(case["ms"] > 0 for case in found)


def test_colors(
    lines: Lines, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "emoji"
    for number, color in enumerate([(250, 30, 30), (30, 30, 250), (30, 250, 30)]):
        save(folder / f"{number}.png", shape(color, None))
    colors = load("colors")
    short = ("--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--model.candidates", "1")
    options = (*colors.MANY, *short, "--model.halvings", "[]", "--data.size", "16")
    monkeypatch.setattr(colors, "CASES", {"emoji": (2, options)})
    given = ("--emoji", str(folder), "--root", "data", "--out", "colors.jsonl", "--seeds", "0")
    (line,) = lines("colors", *given, "--pictures", "pictures")
    assert (line["case"], line["seed"], line["targets"]) == ("emoji", 0, 2)
    assert 0 < line["mse_min"] <= line["mse_mean"]
    assert line["constant"] > 0
    assert Path("pictures/emoji.png").is_file()
    assert json.loads(Path("colors.jsonl").read_text()) == line
    assert lines("colors", *given) == []  # it is there already


def test_compositing(
    lines: Lines, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number, color in enumerate([(250, 30, 30), (30, 30, 250)]):
        save(tmp_path / f"emoji/{number}.png", shape(color, None))
    compositing, rendering = load("compositing"), importlib.import_module("fractalgan.ops.render")
    for name in ("composite", "_choose"):  # which the benchmark replaces
        monkeypatch.setattr(rendering, name, getattr(rendering, name))
    short = ("--trainer.max_steps", "2", "--trainer.val_check_interval", "2", "--model.candidates", "1")
    options = ("--model.halvings", "[]", "--data.size", "16", "--model.num_sequences", "2")
    monkeypatch.setattr(compositing, "RECIPE", (*compositing.RECIPE[:2], *short, *options))
    rule = compositing.RULES["min(W, 1)"]
    monkeypatch.setattr(compositing, "RULES", {"min(W, 1)": rule})
    found = lines("compositing", "--emoji", str(tmp_path / "emoji"), "--count", "2")
    assert [line["alpha"] for line in found] == ["min(W, 1)"]
    assert all(0 < line["mse_min"] <= line["mse_mean"] for line in found)
    sums, background = torch.rand(2, 4, 3, 3) * 3, torch.rand(2, 3)
    same = compositing.composed_by(rule)(sums, background)
    assert torch.allclose(same, composite(sums, background), atol=1e-6)


def test_drawing(lines: Lines) -> None:
    options = ("--size", "32", "--count", "2", "--fractals", "2", "--repeats", "1", "--zooms", "1e3")
    pictures, zoom = lines("drawing", *options)
    assert pictures["seconds"] >= 0
    assert zoom["zoom"] == 1e3
    assert zoom["time_over_whole"] > 0
    assert 0 < zoom["filled"] <= 1


def test_images_per_second(lines: Lines) -> None:
    cases = lines("images_per_second", "--quick", "--repeats", "1", "--sources", "perturbed")
    assert [(case["features"], case["processes"]) for case in cases] == [(0, 1), (0, 2), (3, 1), (3, 2)]
    for case in cases:
        assert case["points"] == 75  # 300 at 32 x 32
        assert case["ratio"] == pytest.approx(case["drawn_images_s"] / case["read_images_s"], rel=0.05)
