"""The benchmarks run and print what they promise; what they measure is not judged here."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import torch

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def lines(tmp_path: Path, name: str, *options: str) -> list[dict]:
    command = [sys.executable, str(BENCHMARKS / name), *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_render(tmp_path: Path) -> None:
    about, *cases = lines(tmp_path, "render.py", "--quick", "--repeats", "1")
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


def test_gan_step(tmp_path: Path) -> None:
    small = ["--data.size=16", "--data.batch_size=8", "--model.num_fractals=4", "--model.num_points=20"]
    (line,) = lines(tmp_path, "gan_step.py", "--trainer.accelerator=cpu", *small)
    assert {"sampling", "rendering", "discriminator", "optimizers", "logging", "rest"} <= set(line["ms"])
    assert 0 < line["outside_discriminator"] < 1
    assert list(tmp_path.iterdir()) == []


def test_reconstruction(tmp_path: Path) -> None:
    small = ["--trainer.accelerator=cpu", "--data.size=16", "--model.num_points=20"]
    found = lines(tmp_path, "reconstruction.py", "--targets", "2", "4", "--steps", "2", *small)
    assert [line["targets"] for line in found] == [2, 4]
    for line in found:
        assert 0 < line["outside_renderer"] < 1
        assert line["images_per_second"] > 0
    assert list(tmp_path.iterdir()) == []


def test_pseudo_classes(tmp_path: Path) -> None:
    small = ["--data=digits", "--fractals=digits", "--images-per-class=3", "--steps=60", "--seeds=1"]
    found = {
        (case["images"], case.get("points"), case.get("window"), case.get("num_points")): case["accuracy"]
        for case in lines(tmp_path, "pseudo_classes.py", *small)
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


def test_stippled_images_have_their_points_where_the_image_is_bright() -> None:
    spec = importlib.util.spec_from_file_location("pseudo_classes", BENCHMARKS / "pseudo_classes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    images = torch.zeros(2000, 1, 32, 32, dtype=torch.uint8)
    images[:, :, 8, 8], images[:, :, 24, 24] = 200, 100
    drawn = module.stippled(images, 1, 0.0, torch.Generator().manual_seed(0)).squeeze(1)
    upper, lower = (drawn[:, rows, rows].flatten(1).amax(1) > 0 for rows in (slice(0, 16), slice(16, 32)))
    assert (upper ^ lower).all()  # one point: at the one place or the other
    assert 0.62 < upper.float().mean() < 0.71  # twice as often at the brighter one
