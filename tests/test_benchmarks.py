"""The benchmarks run and print what they promise; what they measure is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

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
    assert {"sampling", "rendering", "discriminator", "optimisers", "logging", "rest"} <= set(line["ms"])
    assert 0 < line["outside_discriminator"] < 1
    assert list(tmp_path.iterdir()) == []


def test_pseudo_classes(tmp_path: Path) -> None:
    cases = lines(
        tmp_path, "pseudo_classes.py", "--data=digits", "--fractals=digits", "--steps=2", "--seeds=1"
    )
    names = [case["images"] for case in cases]
    assert sorted(set(names)) == ["clusters", "exemplars", "learned", "random", "true classes"]
    assert all(0.5 < case["accuracy"] <= 1 for case in cases)
