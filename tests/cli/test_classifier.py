"""The stages of labeled fractals: exemplars of each class, fractals of them, a classifier, its test."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from fractalgan.tasks import Classifier
from tests.cli.errors import only_error
from tests.cli.folders import rows, signalled, weights
from tests.conftest import TINY_CLASSIFIER, TINY_DISTILLATION, TINY_RECONSTRUCTION
from tests.data.files import labeled_fractals, save, shape
from tests.data.read_images import assert_run_reads_test_images_last

Call = Callable[..., int]
FRACTALS = ["--config=classifier.yaml", *TINY_CLASSIFIER, "--data.fractals=labeled.safetensors"]
IMAGES = ["--config=classifier_images.yaml", *TINY_CLASSIFIER]
EXEMPLARS = ["--config=labeled_fractals.yaml"]
EXEMPLARS += [each for each in TINY_RECONSTRUCTION if not each.startswith("--data.count")]
LEARNERS = (
    ["--config=classifier.yaml", *TINY_CLASSIFIER, "--data.fractals=lf"],
    ["--config=distillation.yaml", *TINY_DISTILLATION, "--model.fractals=lf"],
)
BEST = "checkpoints/best.ckpt"


def test_each_stage_names_the_next(
    call: Call, image_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image_folder.rename("my shapes {1}")
    options = ["--data.name=folder", "--data.root=my shapes {1}", "--data.per_class=2"]
    assert call("fit", *EXEMPLARS, *options, "--model.start=even", "--run=lf") == 0
    printed = capsys.readouterr().out
    given = "--data.fractals lf/checkpoints/best.ckpt --data.name folder --data.root 'my shapes {1}'"
    assert f"fit --config classifier.yaml {given} --data.size 16" in printed
    options = ["--data.fractals=lf", "--data.name=folder", "--data.root=my shapes {1}", *TINY_CLASSIFIER]
    assert call("fit", "--config=classifier.yaml", *options, "--run=mine") == 0
    assert f"test --ckpt_path mine/{BEST}" in capsys.readouterr().out
    assert call("test", f"--ckpt_path=mine/{BEST}") == 0
    evaluation = json.loads(Path("mine/evaluations.jsonl").read_text())
    assert 0 <= evaluation["test/accuracy"] <= 1
    page = Path("mine/report.html").read_text()
    for shown in ("Classifier on lf: finished at step 6", "accuracy", "4 fractals."):
        assert shown in page, shown


def test_reconstruction_of_images_without_labels_names_no_classifier(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*TINY_RECONSTRUCTION, "--data.name=fractaldb"]
    assert call("fit", "--config=reconstruction_32px.yaml", *options) == 0
    assert "classifier.yaml" not in capsys.readouterr().out


def test_run_in_a_process_of_its_own_is_resumed_and_tested(tmp_path: Path) -> None:
    labeled_fractals(tmp_path / "labeled.safetensors")

    def typed(*arguments: str) -> str:
        command = [sys.executable, "-m", "fractalgan", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    constant = [*FRACTALS, "--model.schedule=constant"]
    typed("fit", *constant, "--run=halves", "--trainer.max_steps=3")
    (tmp_path / "labeled.safetensors").unlink()  # the run has a copy
    typed("fit", "--ckpt_path=last", "--run=halves", "--trainer.max_steps=6")
    assert "test/accuracy" in typed("test", "--ckpt_path=best", "--run=halves")
    labeled_fractals(tmp_path / "labeled.safetensors")
    typed("fit", *constant, "--run=whole")
    whole, halves = (weights(tmp_path / f"{run}/checkpoints/last.ckpt") for run in ("whole", "halves"))
    assert all(whole[name].equal(halves[name]) for name in whole)
    assert rows(tmp_path / "whole")[-1] == rows(tmp_path / "halves")[-1]


def test_interrupted_run_equals_an_uninterrupted_one(
    call_with_fractals: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = call_with_fractals
    assert call("fit", *FRACTALS, "--run=whole") == 0
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", signalled(Classifier, 3, signal.SIGTERM))
        assert call("fit", *FRACTALS, "--run=halves") == 143
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt") == 0
    assert rows(Path("halves")) == rows(Path("whole"))
    whole, halves = (weights(Path(f"{run}/checkpoints/last.ckpt")) for run in ("whole", "halves"))
    assert all(whole[name].equal(halves[name]) for name in whole)


@pytest.mark.parametrize("options", [FRACTALS, IMAGES], ids=["fractals", "images"])
def test_no_test_image_is_seen_before_the_test(
    options: list[str], call_with_fractals: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_run_reads_test_images_last(call_with_fractals, options, monkeypatch)


def test_data_may_change_between_fractals_and_images_but_not_the_classes(
    call_with_fractals: Call, image_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = call_with_fractals
    assert call("fit", *FRACTALS, "--run=mine") == 0
    config = yaml.safe_load(Path("mine/config.yaml").read_text())
    assert config["model"]["init_args"]["num_classes"] is None  # follows the data
    saved = torch.load(f"mine/{BEST}", weights_only=True)["hyper_parameters"]
    assert (saved["num_classes"], saved["channels"]) == (10, 1)
    capsys.readouterr()
    other = ["--data.name=folder", f"--data.root={image_folder}"]
    assert call("test", f"--ckpt_path=mine/{BEST}", *other) == 2
    remedy = (
        "set --data.name, and --data.root for a folder, to the data set that the fractals were learned from"
    )
    assert remedy in capsys.readouterr().err


def test_fractals_of_test_images_are_not_judged_by_them(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("fit", *EXEMPLARS, "--data.per_class=1", "--data.split=test", "--run=lf") == 0
    assert "classifier.yaml" not in capsys.readouterr().out
    for other in LEARNERS:
        assert call("fit", *other, "--run=mine") == 2
        assert "the fractals of lf were learned from the test images of digits" in only_error(capsys)
        assert not Path("mine/metrics.jsonl").exists()


def test_fractals_keep_their_share_of_test_images(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *EXEMPLARS, "--data.per_class=1", "--data.test_share=0.2", "--run=lf") == 0
    assert "--data.test_share 0.2" in capsys.readouterr().out
    given = LEARNERS[0]
    assert call("fit", *given, "--run=mine") == 2
    assert "set --data.test_share 0.2" in only_error(capsys)
    assert call("fit", *given, "--run=mine", "--data.test_share=0.2") == 0


def test_one_class_gets_one_line(call: Call, image_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in sorted(image_folder.iterdir())[1:]:
        shutil.rmtree(folder)
    own = ["--data.name=folder", f"--data.root={image_folder}"]
    options = [*own, "--data.per_class=2", "--model.start=even"]
    assert call("fit", *EXEMPLARS, *options, "--run=lf") == 0
    assert "classifier.yaml" not in capsys.readouterr().out
    for other in LEARNERS:
        assert call("fit", *other, *own, "--run=mine") == 2
        assert "the fractals of lf have one class, and a classifier needs two" in only_error(capsys)


BAD = {
    "no fractals": (
        ["--data.fractals=null"],
        "set --data.fractals to labeled fractals: learn some with fit --config labeled_fractals.yaml",
    ),
    "without labels": (["--data.fractals=digits"], "the fractals of digits have no labels"),
    "missing": (["--data.fractals=none"], "there are no fractals 'none'"),
    "other classes": (
        ["--data.fractals=two.json"],
        "the classes of the fractals of two.json are 2 (cat, dog), but those of digits are 10 (0, 1, 2, ...)",
    ),
    "in color": (
        ["--data.fractals=colored.json"],
        "the images of digits are in grayscale, but the fractals of colored.json draw images in color:"
        " set --data.channels 3",
    ),
    "another kind than the network": (
        ["--model.channels=3"],
        "are in grayscale, but the network was made for images in color: set --data.channels 3",
    ),
    "small": (["--data.size=7"], "--data.size must be >= 8 for a ConvNet, got 7"),
    "small for a LeNet": (
        ["--data.size=15", "--model.network=lenet", "--model.width=null"],
        "--data.size must be >= 16 for a LeNet, got 15",
    ),
    "width of a LeNet": (["--model.network=lenet"], "--model.width must be null for a lenet"),
    "no network": (
        ["--model.network=resnet"],
        "--model.network must be lenet, convnet, a model of torchvision",
    ),
    "rotation": (["--model.rotation=270"], "--model.rotation must be <= 180, got 270"),
    "classes": (["--model.num_classes=3"], "the classifier has 3 classes, but labeled.safetensors has 10"),
    "link": (["--model.image_size=32"], "--model.image_size has no effect, it follows --data.size"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line(
    case: str, call_with_fractals: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    labeled_fractals(Path("two.json"), ["cat", "dog"])
    labeled_fractals(Path("colored.json"), features=3)
    options, message = BAD[case]
    assert call_with_fractals("fit", *FRACTALS, *options, "--run=bad") in (1, 2)
    assert message in only_error(capsys)
    assert not Path("bad").exists()


BAD_IMAGES = {
    "no labels": (
        ["--data.name=folder", "--data.root=flat", "--data.per_class=null", "--data.exemplars=random"],
        "Classifier needs labels of two or more classes, but folder has 0: put the images",
    ),
    "few without labels": (["--data.name=folder", "--data.root=flat"], "per_class needs labels"),
    "without effect": (["--data.per_class=null"], "exemplars needs --data.per_class"),
    "choice": (
        ["--data.exemplars=first", "--data.choice=2"],
        "choice has no effect with --data.exemplars first",
    ),
    "too many": (["--data.per_class=500"], "--data.per_class must be <= "),
    "targets": (
        ["--data=fractalgan.TargetData"],
        "Classifier needs labeled images: use --data fractalgan.LabeledFractalData",
    ),
    "pseudo-classes": (["--data=fractalgan.FractalData"], "Classifier needs labeled images"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_images_get_one_line(case: str, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        save(Path(f"flat/{number}.png"), shape(200 + number, 0))
    options, message = BAD_IMAGES[case]
    other = ["--model=fractalgan.Classifier", *TINY_CLASSIFIER[:3]]
    given = other if options[0].startswith("--data=") else IMAGES
    assert call("fit", *given, *options, "--run=bad") in (1, 2)
    assert message in only_error(capsys)
    assert not Path("bad").exists()
