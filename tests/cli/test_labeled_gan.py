"""FractalGAN with labels, from the command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fractalgan.nn import FractalGenerator
from tests.cli.errors import only_error
from tests.cli.folders import rows, weights
from tests.conftest import TINY

Call = Callable[..., int]

LABELED = ["--config=gan_labeled.yaml", *TINY, "--model.num_fractals=11"]
LABELS = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_run_is_labeled_from_end_to_end(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "fractalgan", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    out, folder = run("fit", *LABELED, "--run=mine"), tmp_path / "mine"
    best = "mine/checkpoints/best.ckpt"
    assert f"fit --config classifier.yaml --data.fractals {best} --data.size 16" in out
    assert f"fit --config pretraining.yaml --model.fractals {best} --model.num_fractals 11" in out
    assert FractalGenerator.from_pretrained(folder).embedding.labels.tolist() == LABELS
    assert all("val/class_agreement" in row for row in rows(folder) if "val/shape_distance" in row)
    run("export", "mine", "--out=mine.json")
    exported = FractalGenerator.from_pretrained(tmp_path / "mine.json").embedding
    assert exported.labels.tolist() == LABELS
    assert exported.classes == tuple("0123456789")


@pytest.mark.parametrize("way", ["projection", "auxiliary"])
def test_resumed_run_keeps_its_labels(call: Call, way: str) -> None:
    assert call("fit", *LABELED, f"--model.conditional={way}", "--run=mine") == 0
    before = weights(Path("mine/checkpoints/last.ckpt"))
    assert call("fit", "--ckpt_path=mine/checkpoints/last.ckpt", "--trainer.max_steps=8") == 0
    after = weights(Path("mine/checkpoints/last.ckpt"))
    assert before.keys() == after.keys()
    assert after["generator.embedding.labels"].tolist() == LABELS
    assert not before["discriminator.classes.weight"].equal(after["discriminator.classes.weight"])
    assert FractalGenerator.from_pretrained("mine").embedding.classes == tuple("0123456789")


def test_bad_input_gets_one_line(call: Call, image_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = Path("flat")
    flat.mkdir()
    for number, path in enumerate(sorted(image_folder.rglob("*.png"))):
        path.rename(flat / f"{number}.png")
    for options, message in [
        (["--data.name=folder", "--data.root=flat"], "of --data.root, or set --model.conditional null"),
        (["--model.num_fractals=9"], "--model.num_fractals must be >= 10, the number of classes of digits"),
    ]:
        assert call("fit", *LABELED, *options, "--run=bad") == 2
        assert message in only_error(capsys)
        assert not Path("bad").exists()
