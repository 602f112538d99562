"""Distillation from the command line: the stages before and after it, resuming, evaluation, and bad input."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fractalgan import FractalGenerator
from fractalgan.tasks import Distillation
from tests.cli.errors import only_error
from tests.cli.folders import LABELED, rows, signalled, weights
from tests.conftest import TINY_CLASSIFIER, TINY_DISTILLATION
from tests.data.files import labeled_fractals, save, shape
from tests.data.read_images import assert_run_reads_test_images_last

Call = Callable[..., int]
Trained = Callable[[str, str], Path]
OPTIONS = ["--config=distillation.yaml", *TINY_DISTILLATION, "--model.fractals=labeled.safetensors"]
BEST = "mine/checkpoints/best.ckpt"


def test_run_serves_whatever_comes_next(call_with_fractals: Call, capsys: pytest.CaptureFixture[str]) -> None:
    call = call_with_fractals
    assert call("fit", *OPTIONS, "--run=mine") == 0
    printed = capsys.readouterr().out
    assert f"draw {BEST}" in printed
    assert f"fit --config classifier.yaml --data.fractals {BEST} --data.size 16" in printed
    Path("labeled.safetensors").unlink()
    for verb in ("validate", "test"):
        assert call(verb, f"--ckpt_path={BEST}") == 0
    validated, tested = map(json.loads, Path("mine/evaluations.jsonl").read_text().splitlines())
    errors = [row["val/error"] for row in rows(Path("mine")) if "val/error" in row]
    assert validated["val/error"] == min(errors)
    assert 0 <= tested["test/accuracy"] <= 1
    assert call("predict", f"--ckpt_path={BEST}", "--images=2") == 0
    assert len(list(Path("mine/predictions").glob("*/*.png"))) == 40
    assert call("draw", BEST) == 0
    assert call("export", "mine", "--out=learned.safetensors") == 0
    labels = FractalGenerator.from_pretrained("learned.safetensors").embedding.labels
    assert labels is not None
    assert labels.tolist() == [number // 2 for number in range(20)]
    options = ["--config=classifier.yaml", *TINY_CLASSIFIER, "--data.fractals=mine"]
    assert call("fit", *options, "--run=next") == 0
    assert "Distillation on digits: finished at step 6" in Path("mine/report.html").read_text()


def test_interrupted_run_equals_an_uninterrupted_one(
    call_with_fractals: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the fractals that it started from are gone."""
    call = call_with_fractals
    assert call("fit", *OPTIONS, "--run=whole") == 0
    with monkeypatch.context() as patch:
        patch.setattr(Distillation, "training_step", signalled(Distillation, 3, signal.SIGTERM))
        assert call("fit", *OPTIONS, "--run=halves") == 143
    Path("labeled.safetensors").unlink()
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt") == 0
    assert rows(Path("halves")) == rows(Path("whole"))
    whole, halves = (weights(Path(f"{run}/checkpoints/last.ckpt")) for run in ("whole", "halves"))
    assert all(whole[name].equal(halves[name]) for name in whole)


def test_no_test_image_is_seen_before_the_test(
    call_with_fractals: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_run_reads_test_images_last(call_with_fractals, OPTIONS, monkeypatch)


BAD = {
    "no fractals": (
        ["--model.fractals=null"],
        "set --model.fractals to labeled fractals: learn some with fit --config labeled_fractals.yaml",
    ),
    "without labels": (["--model.fractals=digits"], "the fractals of digits have no labels"),
    "missing": (["--model.fractals=none"], "there are no fractals 'none'"),
    "no checkpoint": (["--model.fractals=flat/0.png"], "flat/0.png is damaged or not a checkpoint"),
    "other classes": (
        ["--model.fractals=two.json"],
        "the classes of the fractals of two.json are 2 (cat, dog), but those of digits are 10 (0, 1, 2, ...)",
    ),
    "in color": (
        ["--model.fractals=colored.json"],
        "the images of digits are in grayscale, but the fractals of colored.json draw images in color:"
        " set --data.channels 3",
    ),
    "images in color": (["--data.channels=3"], "draw images in grayscale: set --data.channels 1"),
    "images without labels": (
        ["--data.name=folder", "--data.root=flat"],
        "the images in folder have no labels: put those of each class into a sub-folder",
    ),
    "targets": (["--data=fractalgan.TargetData"], "Distillation needs labeled images"),
    "small": (["--data.size=7"], "--data.size must be >= 8 for a ConvNet, got 7"),
    "width of a LeNet": (["--model.network=lenet"], "--model.width must be null for a lenet"),
    "no loss": (["--model.loss=mse"], "expected one of ridge, distribution"),
    "no images": (["--model.network_images=fake"], "expected one of real, drawn"),
    "no age": (["--model.max_age=0"], "--model.max_age must be >= 1, got 0"),
    "many networks": (["--model.networks=1001"], "--model.networks must be <= 1000, got 1001"),
    "rotation": (["--model.rotation=270"], "--model.rotation must be <= 180, got 270"),
    "no last step": (
        ["--trainer.max_steps=-1", "--trainer.max_time=00:00:00:05"],
        "--model.schedule cosine needs to know the last step",
    ),
    "link": (["--model.image_size=32"], "--model.image_size has no effect, it follows --data.size"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line(
    case: str, call_with_fractals: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    labeled_fractals(Path("two.json"), ["cat", "dog"])
    labeled_fractals(Path("colored.json"), features=3)
    for number in range(8):
        save(Path(f"flat/{number}.png"), shape(200 + number, 0))
    options, message = BAD[case]
    given = OPTIONS
    if options[0].startswith("--data="):
        given = ["--model=fractalgan.Distillation", *TINY_CLASSIFIER[:3], "--model.fractals=two.json"]
    assert call_with_fractals("fit", *given, *options, "--run=bad") in (1, 2)
    assert message in only_error(capsys)
    assert not Path("bad").exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fractals", None, "stranger.ckpt has invalid content"),
        ("fractals", {}, "stranger.ckpt has invalid content"),
        ("image_size", 10**6, "the fractals of the checkpoint: image_size must be <= 1024, got 1000000"),
        ("num_points", 10**9, "the fractals of the checkpoint: num_points must be <= 500000"),
        ("classes", [1], "the fractals of the checkpoint: "),
    ],
)
@pytest.mark.parametrize("verb", ["fit", "validate"])
def test_checkpoint_of_a_stranger_gets_one_line(
    verb: str,
    name: str,
    value: object,
    message: str,
    call: Call,
    trained: Trained,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained("distillation", "mine")
    content = torch.load(BEST, weights_only=True)
    (content if name == "fractals" else content["fractals"]["settings"])[name] = value
    torch.save(content, "stranger.ckpt")
    capsys.readouterr()
    options = [*OPTIONS, f"--model.fractals={LABELED}", "--trainer.max_steps=9"]
    assert call(verb, *options, "--ckpt_path=stranger.ckpt") == 2
    assert message in only_error(capsys)
