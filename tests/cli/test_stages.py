"""The stages of a user: fractals, pre-training, linear probe, test."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
import yaml

from fractalgan.nn import FractalGenerator, LeNet
from fractalgan.storage import read_fractals
from fractalgan.tasks import LinearProbe
from tests.cli.errors import only_error
from tests.conftest import TINY, TINY_PRETRAINING, TINY_RECONSTRUCTION

Call = Callable[..., int]
Trained = Callable[[str, str], Path]
PRETRAINING = ["fit", "--config", "pretraining.yaml", *TINY_PRETRAINING]
PROBE = ["fit", "--config", "probe.yaml", "--trainer.accelerator=cpu", "--data.size=16"]
LAST = "checkpoints/last.ckpt"


def state(path: str) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_each_stage_uses_the_result_of_the_one_before(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY) == 0
    given = "--model.fractals runs/gan-digits-1/checkpoints/best.ckpt --model.num_fractals 4 --data.size 16"
    assert f"pretraining.yaml {given}" in capsys.readouterr().out
    assert call(*PRETRAINING, *given.split(), "--run=runs/pretrained") == 0
    backbone = f"--model.backbone runs/pretrained/{LAST} --data.size 16"
    assert f"probe.yaml {backbone}" in capsys.readouterr().out
    assert call(*PROBE, *backbone.split()) == 0
    assert "test --ckpt_path runs/probe-digits-1/checkpoints/best.ckpt" in capsys.readouterr().out
    before, after = state(f"runs/pretrained/{LAST}"), state(f"runs/probe-digits-1/{LAST}")
    features = [name for name in before if name.startswith("network.features.")]
    assert features
    for name in features:  # the probe changes its head alone
        assert before[name].equal(after[name]), name

    Path(f"runs/pretrained/{LAST}").unlink()  # a probe has a copy of what it needs
    assert call("test", "--ckpt_path=runs/probe-digits-1/checkpoints/best.ckpt") == 0
    evaluation = json.loads(Path("runs/probe-digits-1/evaluations.jsonl").read_text())
    assert 0.1 < evaluation["test/accuracy"] <= 1


def test_pretraining_on_fractals_of_the_hub_keeps_a_copy(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    FractalGenerator.from_pretrained(trained("gan", "gan")).save("downloaded.safetensors")
    downloads = []

    def download(repository: str, name: str, **_: str) -> str:
        downloads.append((repository, name))
        return "downloaded.safetensors"

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    options = [*PRETRAINING, "--model.fractals=user/digits", "--run=mine"]
    assert call(*options) == 0
    assert set(downloads) == {("user/digits", "fractals.safetensors")}
    copy, original = (read_fractals(path).parameters for path in ("mine", "downloaded.safetensors"))
    assert all(copy[name].equal(original[name]) for name in original)
    downloads.clear()
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=8") == 0
    assert not downloads


def test_best_checkpoint_of_a_probe_has_the_best_penalty(call: Call) -> None:
    assert call(*PROBE) == 0
    rows = [json.loads(line) for line in Path("runs/probe-digits-1/metrics.jsonl").read_text().splitlines()]
    accuracy = {row["step"]: row["val/accuracy"] for row in rows if "val/accuracy" in row}
    assert sorted(accuracy) == [1, 2, 3, 4, 5, 6]
    best = torch.load("runs/probe-digits-1/checkpoints/best.ckpt", weights_only=True)["global_step"]
    assert accuracy[best] == max(accuracy.values())
    assert max(accuracy.values()) > 0.7  # even of an untrained LeNet


def test_no_test_image_is_seen_before_the_test(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from fractalgan.data import ImageData, ImageSet

    seen: set[int] = set()
    read, setup = ImageSet.__getitem__, ImageData.setup

    def watched(self: ImageSet, index):  # type: ignore[no-untyped-def]
        seen.add(id(self))
        return read(self, index)

    kept: list[ImageData] = []

    def remembered(self: ImageData, stage: str | None = None) -> None:
        setup(self, stage)
        kept.append(self)

    monkeypatch.setattr(ImageSet, "__getitem__", watched)
    monkeypatch.setattr(ImageData, "setup", remembered)
    assert call(*PROBE) == 0
    assert {id(kept[-1].train_images), id(kept[-1].validation_images)} <= seen
    assert id(kept[-1].test_images) not in seen
    assert call("test", "--ckpt_path=runs/probe-digits-1/checkpoints/best.ckpt") == 0
    assert id(kept[-1].test_images) in seen


def test_pretraining_keeps_a_checkpoint_every_thousand_steps(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fractalgan.tasks import Pretraining

    monkeypatch.setattr(Pretraining, "checkpoint_interval", 2)
    assert call(*PRETRAINING, "--run=kept") == 0
    names = sorted(path.name for path in Path("kept/checkpoints").iterdir())
    assert names == ["best.ckpt", "last.ckpt", "step_000002.ckpt", "step_000004.ckpt", "step_000006.ckpt"]


@pytest.mark.parametrize("fresh", ["false", "true"])
def test_extended_pretraining_equals_a_long_one(call: Call, fresh: str) -> None:
    options = [*PRETRAINING, f"--data.fresh={fresh}"]
    assert call(*options, "--run=runs/whole") == 0
    assert call(*options, "--run=runs/halves", "--trainer.max_steps=3") == 0
    assert call("fit", f"--ckpt_path=runs/halves/{LAST}", "--trainer.max_steps=6") == 0
    whole, halves = state(f"runs/whole/{LAST}"), state(f"runs/halves/{LAST}")
    assert all(whole[name].equal(halves[name]) for name in whole)


def test_pretraining_resumes_without_the_file_of_its_fractals(call: Call, trained: Trained) -> None:
    trained("gan", "gan")
    given = [f"--model.fractals=gan/{LAST}", "--model.num_fractals=4", "--data.jitter=0"]
    assert call(*PRETRAINING, *given, "--run=whole") == 0
    assert call(*PRETRAINING, *given, "--run=halves", "--trainer.max_steps=3") == 0
    learned = read_fractals(f"gan/{LAST}")
    shutil.rmtree("gan")
    assert call("fit", f"--ckpt_path=halves/{LAST}", "--trainer.max_steps=6") == 0
    whole, halves = state(f"whole/{LAST}"), state(f"halves/{LAST}")
    assert all(whole[name].equal(halves[name]) for name in whole)
    configs = [yaml.safe_load(Path(f"{run}/config.yaml").read_text()) for run in ("whole", "halves")]
    assert configs[0] == configs[1]
    assert json.loads(Path("halves/summary.json").read_text())["data"] == f"gan/{LAST}"

    assert (
        call("fit", "--ckpt_path=halves/checkpoints/best.ckpt", "--run=branch", "--trainer.max_steps=7") == 0
    )
    for run in ("halves", "branch"):
        kept = read_fractals(f"{run}/fractals.safetensors")
        assert (kept.settings, kept.provenance) == (learned.settings, learned.provenance)
        assert all(kept.parameters[name].equal(learned.parameters[name]) for name in learned.parameters)


def test_file_of_fractals_in_the_folder_of_another_task_is_ignored(call: Call) -> None:
    assert call("fit", *TINY, "--run=gan", "--trainer.max_steps=3") == 0
    FractalGenerator.from_pretrained(f"gan/{LAST}").save("gan/fractals.safetensors")
    assert call("fit", f"--ckpt_path=gan/{LAST}", "--trainer.max_steps=6") == 0
    assert call(*PRETRAINING, "--run=random", "--trainer.max_steps=3") == 0
    shutil.copy("gan/fractals.safetensors", "random")
    assert call("fit", f"--ckpt_path=random/{LAST}", "--trainer.max_steps=6") == 0
    assert json.loads(Path("random/summary.json").read_text())["data"] == "random"


def test_probe_resumes_without_the_checkpoint_of_its_backbone(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = LinearProbe.training_step

    def interrupted(self: LinearProbe, batch, batch_idx: int) -> None:  # type: ignore[no-untyped-def]
        step(self, batch, batch_idx)
        if self.global_step == 2:
            signal.raise_signal(signal.SIGINT)

    trained("pretraining", "backbone")
    options = [*PROBE, f"--model.backbone=backbone/{LAST}"]
    assert call(*options, "--run=whole") == 0
    with monkeypatch.context() as patch:
        patch.setattr(LinearProbe, "training_step", interrupted)
        assert call(*options, "--run=halves") == 130
    shutil.rmtree("backbone")
    assert call("fit", f"--ckpt_path=halves/{LAST}") == 0
    whole, halves = state(f"whole/{LAST}"), state(f"halves/{LAST}")
    assert all(whole[name].equal(halves[name]) for name in whole)


def test_probe_of_pixels_needs_no_network(call: Call) -> None:
    assert call(*PROBE, "--model.backbone=pixels") == 0
    rows = [json.loads(line) for line in Path("runs/probe-digits-1/metrics.jsonl").read_text().splitlines()]
    assert max(row.get("val/accuracy", 0) for row in rows) > 0.93
    assert state("runs/probe-digits-1/checkpoints/best.ckpt")["head.weight"].shape == (10, 256)


def test_labels_per_class_are_of_every_class(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []
    step = LinearProbe.training_step

    def watched(self: LinearProbe, batch, batch_idx: int) -> None:  # type: ignore[no-untyped-def]
        assert self.examples is not None
        seen.append(self.examples[1].bincount().tolist())
        step(self, batch, batch_idx)

    monkeypatch.setattr(LinearProbe, "training_step", watched)
    assert call(*PROBE, "--model.labels_per_class=10") == 0
    assert seen == [[10] * 10] * 6
    rows = [json.loads(line) for line in Path("runs/probe-digits-1/metrics.jsonl").read_text().splitlines()]
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert losses == sorted(losses, reverse=True)  # a smaller penalty fits better
    assert losses[-1] < 0.1


def test_cosine_schedule_ends_at_zero_and_can_be_extended(call: Call) -> None:
    def rate(folder: str) -> float:
        checkpoint = torch.load(f"runs/{folder}/{LAST}", weights_only=True)
        return checkpoint["optimizer_states"][0]["param_groups"][0]["lr"]

    options = [*PRETRAINING, "--model.schedule=cosine", "--model.optimizer=SGD", "--model.lr=0.5"]
    assert call(*options, "--run=runs/six") == 0
    assert rate("six") == pytest.approx(0, abs=1e-12)
    assert call("fit", f"--ckpt_path=runs/six/{LAST}", "--trainer.max_steps=12") == 0
    assert rate("six") == pytest.approx(0, abs=1e-12)
    assert (
        call(*options, "--run=runs/three", "--model.optimizer=AdamW", "--trainer.max_time=00:00:00:01") == 0
    )


def test_pretraining_on_real_images_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    options = [option for option in TINY_PRETRAINING if option.startswith("--trainer")]
    assert call("fit", "--model=fractalgan.Pretraining", *options, "--run=bad") == 2
    assert "needs images of fractals: use --data fractalgan.FractalData" in capsys.readouterr().err


BAD = {
    "not of pretraining": (
        ["--model.backbone=gan.ckpt"],
        "is a checkpoint of FractalGAN, not of Pretraining",
    ),
    "another size": (
        ["--model.backbone=small.ckpt"],
        "was trained on images of 20 pixels: set --data.size 20",
    ),
    "no backbone": (["--model.backbone=none.ckpt"], "there is no backbone in none.ckpt: pass a run folder"),
    "no labels": (["--data.name=folder", "--data.root=flat"], "needs labels of two or more classes"),
    "too many labels": (["--model.labels_per_class=999"], "labels_per_class must be <="),
    "steps": (
        ["--trainer.max_steps=9"],
        "the probe tries 6 L2 penalties, one per step: set --trainer.max_steps 6",
    ),
    "penalty": (["--model.penalties=[0.0]"], "penalties[0] must be > 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_probe_with_bad_input_gets_one_line(
    case: str, call: Call, image_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, message = BAD[case]
    flat = Path("flat")
    flat.mkdir()
    for number, path in enumerate(sorted(image_folder.rglob("*.png"))):
        path.rename(flat / f"{number}.png")
    whole = {"state_dict": {}, "global_step": 1, "hyper_parameters": {"image_size": 20}}
    torch.save(whole | {"task": "FractalGAN"}, "gan.ckpt")
    weights = {f"network.features.{name}": each for name, each in LeNet(2, 20).features.state_dict().items()}
    torch.save(whole | {"task": "Pretraining", "state_dict": weights}, "small.ckpt")
    assert call(*PROBE, *options, "--run=runs/bad") in (1, 2)
    assert message in only_error(capsys)
    assert not Path("runs/bad").exists()


def test_wrong_fractals_get_one_line(
    call: Call, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("gan", "gan")
    for options, message in [
        ([f"--model.fractals=gan/{LAST}", "--model.num_fractals=7"], "has 4 fractals, not 7"),
        (["--model.fractals=nothing"], "there are no fractals 'nothing'"),
    ]:
        capsys.readouterr()
        assert call(*PRETRAINING, *options, "--run=bad") in (1, 2)
        assert message in only_error(capsys)
        assert not Path("bad").exists()


LEARNERS = "pass a checkpoint of FractalGAN, Reconstruction or Distillation"


@pytest.mark.parametrize(
    ("run", "verb", "message"),
    [
        ("probe", "predict", "LinearProbe does not draw images: " + LEARNERS),
        ("pretraining", "predict", "Pretraining does not draw images: " + LEARNERS),
        ("pretraining", "test", "Pretraining has no test: use validate"),
    ],
)
def test_command_that_a_task_does_not_have(
    run: str, verb: str, message: str, call: Call, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(run, f"runs/{run}")
    assert call(verb, "--ckpt_path=last", f"--run=runs/{run}") == 2
    assert message in only_error(capsys)


@pytest.mark.parametrize(
    ("run", "task"), [("autoencoder", "FractalAutoencoder"), ("encoder", "InverseEncoder")]
)
def test_encoder_starts_a_reconstruction_in_place_of_predict(
    run: str, task: str, call: Call, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(run, f"runs/{run}")
    assert call("predict", "--ckpt_path=last", f"--run=runs/{run}") == 2
    error = only_error(capsys)
    use = f"fit --config reconstruction_32px.yaml --model.start runs/{run}/{LAST}"
    assert f"{task} has no fractals of its own: to reconstruct images with it, use {use}" in error
    given = [
        option for option in TINY_RECONSTRUCTION if not option.startswith(("--data.size", "--model.num_"))
    ]
    command = error[error.index("fit ") :].split()
    assert (
        call(*command, *given, "--model.num_sequences=8", "--model.candidates=1", "--model.halvings=[]") == 0
    )


def test_options_are_not_abbreviated(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*PRETRAINING, "--trainer.max_step=2", "--run=bad") == 2
    assert "max_step" in capsys.readouterr().err
    assert not Path("bad").exists()
