"""From fractals to a linear probe, as a user goes: fit, pre-train, probe, test."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.conftest import TINY, TINY_PRETRAINING

Call = Callable[..., int]
CONFIGS = Path(__file__).parents[2] / "configs"
PRETRAINING = ["fit", "--config", str(CONFIGS / "pretraining.yaml"), *TINY_PRETRAINING]
PROBE = ["fit", "--config", str(CONFIGS / "probe.yaml"), "--trainer.accelerator=cpu", "--data.size=16"]
LAST = "checkpoints/last.ckpt"


def state(path: str) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_each_stage_takes_what_the_one_before_it_left(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY) == 0
    assert (
        "pretraining.yaml --model.fractals runs/gan-digits-1/checkpoints/best.ckpt" in capsys.readouterr().out
    )
    assert call(*PRETRAINING, f"--model.fractals=runs/gan-digits-1/{LAST}", "--run=runs/pretrained") == 0
    assert f"probe.yaml --model.backbone runs/pretrained/{LAST}" in capsys.readouterr().out
    backbone = f"--model.backbone=runs/pretrained/{LAST}"
    assert call(*PROBE, backbone) == 0
    assert "test --ckpt_path runs/probe-digits-1/checkpoints/best.ckpt" in capsys.readouterr().out
    before, after = state(f"runs/pretrained/{LAST}"), state(f"runs/probe-digits-1/{LAST}")
    features = [name for name in before if name.startswith("network.features.")]
    assert features
    for name in features:  # the probe moves its head alone
        assert before[name].equal(after[name]), name

    Path(f"runs/pretrained/{LAST}").unlink()  # a probe keeps what it needs
    assert call("test", "--ckpt_path=runs/probe-digits-1/checkpoints/best.ckpt") == 0
    judged = json.loads(Path("runs/probe-digits-1/evaluations.jsonl").read_text())
    assert 0.1 < judged["test/accuracy"] <= 1


def test_probe_keeps_the_penalty_that_validation_likes_best(call: Call) -> None:
    assert call(*PROBE) == 0
    rows = [json.loads(line) for line in Path("runs/probe-digits-1/metrics.jsonl").read_text().splitlines()]
    accuracy = {row["step"]: row["val/accuracy"] for row in rows if "val/accuracy" in row}
    assert sorted(accuracy) == [1, 2, 3, 4, 5]
    best = torch.load("runs/probe-digits-1/checkpoints/best.ckpt", weights_only=True)["global_step"]
    assert accuracy[best] == max(accuracy.values())
    assert max(accuracy.values()) > 0.7  # even of a LeNet that was never trained


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

    monkeypatch.setattr(Pretraining, "keep_every", 2)
    assert call(*PRETRAINING, "--run=kept") == 0
    names = sorted(path.name for path in Path("kept/checkpoints").iterdir())
    assert names == ["best.ckpt", "last.ckpt", "step_000002.ckpt", "step_000004.ckpt", "step_000006.ckpt"]


@pytest.mark.parametrize("fresh", ["false", "true"])
def test_pretraining_that_ended_early_goes_on_as_if_it_had_not(call: Call, fresh: str) -> None:
    options = [*PRETRAINING, f"--data.fresh={fresh}"]
    assert call(*options, "--run=runs/whole") == 0
    assert call(*options, "--run=runs/halves", "--trainer.max_steps=3") == 0
    assert call("fit", f"--ckpt_path=runs/halves/{LAST}", "--trainer.max_steps=6") == 0
    whole, halves = state(f"runs/whole/{LAST}"), state(f"runs/halves/{LAST}")
    assert all(whole[name].equal(halves[name]) for name in whole)


def test_pixels_are_the_reference_without_a_network(call: Call) -> None:
    assert call(*PROBE, "--model.backbone=pixels") == 0
    rows = [json.loads(line) for line in Path("runs/probe-digits-1/metrics.jsonl").read_text().splitlines()]
    assert max(row.get("val/accuracy", 0) for row in rows) > 0.93
    assert state("runs/probe-digits-1/checkpoints/best.ckpt")["head.weight"].shape == (10, 256)


def test_few_labels_are_enough_to_begin_with(call: Call) -> None:
    assert call(*PROBE, "--model.labels_per_class=10") == 0
    rows = [json.loads(line) for line in Path("runs/probe-digits-1/metrics.jsonl").read_text().splitlines()]
    assert 0.3 < max(row.get("val/accuracy", 0) for row in rows) < 0.99


BAD = {
    "not of pretraining": (
        ["--model.backbone=gan.ckpt"],
        "is a checkpoint of FractalGAN: a probe judges one",
    ),
    "another size": (
        ["--model.backbone=small.ckpt"],
        "was trained on images of 20 pixels: give --data.size 20",
    ),
    "no backbone": (["--model.backbone=none.ckpt"], "no checkpoint none.ckpt"),
    "no labels": (["--data.name=folder", "--data.root=flat"], "has no labels"),
    "too many labels": (["--model.labels_per_class=999"], "labels_per_class: a class has"),
    "steps": (["--trainer.max_steps=9"], "one step is one penalty: give --trainer.max_steps 5"),
    "penalty": (["--model.penalties=[0.0]"], "penalties[0]: want more than 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_probe_of_bad_input_is_told_in_one_line(
    case: str, call: Call, image_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, message = BAD[case]
    flat = Path("flat")
    flat.mkdir()
    for number, path in enumerate(sorted(image_folder.rglob("*.png"))):
        path.rename(flat / f"{number}.png")
    whole = {"state_dict": {}, "global_step": 1, "hyper_parameters": {"image_size": 20}}
    torch.save(whole | {"task": "FractalGAN"}, "gan.ckpt")
    torch.save(whole | {"task": "Pretraining"}, "small.ckpt")
    assert call(*PROBE, *options, "--run=runs/bad") in (1, 2)
    error = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(error) == 1
    assert message in error[0]
    assert not Path("runs/bad/checkpoints").exists()


def test_wrong_fractals_are_told_in_one_line(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY, "--run=gan") == 0
    for options, message in [
        ([f"--model.fractals=gan/{LAST}", "--model.num_fractals=7"], "has 4 fractals, not 7"),
        (["--model.fractals=nothing"], "no fractals 'nothing'"),
    ]:
        capsys.readouterr()
        assert call(*PRETRAINING, *options, "--run=bad") in (1, 2)
        error = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
        assert len(error) == 1
        assert message in error[0]
        assert not Path("bad").exists()
