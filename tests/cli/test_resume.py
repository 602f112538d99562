"""Runs that are interrupted by a signal, die, or are extended, and are resumed."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fractalgan.tasks import FractalGAN
from tests.cli.folders import content, rows, signalled, weights
from tests.conftest import TINY
from tests.data.files import save, shape

Call = Callable[..., int]
Trained = Callable[[str, str], Path]

RESUME = ["--run=mine", "--ckpt_path=last", "--trainer.max_steps=7"]


@pytest.mark.parametrize(
    ("stop_after", "number"),
    [(1, signal.SIGINT), (2, signal.SIGTERM), (3, signal.SIGUSR1), (4, signal.SIGTERM), (5, signal.SIGINT)],
)
def test_interrupted_run_equals_an_uninterrupted_one(
    call: Call,
    trained: Trained,
    stop_after: int,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Same weights to the bit and same rows, at whatever step the signal comes."""
    trained("gan", "runs/whole")
    interrupted = signalled(FractalGAN, stop_after - 1, number)
    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", interrupted)
        capsys.readouterr()
        assert call("fit", *TINY, "--run=runs/halves") == 128 + number
    out = capsys.readouterr().out
    assert f"stopped at step {stop_after}" in out
    assert "fit --run runs/halves --ckpt_path last" in out
    assert torch.load("runs/halves/checkpoints/last.ckpt", weights_only=True)["global_step"] == stop_after
    config = Path("runs/halves/config.yaml").read_bytes()

    assert call("fit", "--ckpt_path=runs/halves/checkpoints/last.ckpt") == 0
    assert rows(Path("runs/halves")) == rows(Path("runs/whole"))
    whole, halves = (weights(Path(f"runs/{name}/checkpoints/last.ckpt")) for name in ("whole", "halves"))
    assert all(whole[name].equal(halves[name]) for name in whole)
    assert Path("runs/halves/config.yaml").read_bytes() == config
    events = EventAccumulator("runs/halves").Reload()
    assert [e.step for e in events.Scalars("train/generator_loss")] == [2, 4, 6]
    assert [e.step for e in events.Scalars("val/collapsed")] == [3, 6]


def test_signal_in_the_last_step_changes_nothing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = signalled(FractalGAN, 5, signal.SIGTERM)
    monkeypatch.setattr(FractalGAN, "training_step", interrupted)
    assert call("fit", *TINY) == 0
    assert json.loads(Path("runs/gan-digits-1/summary.json").read_text())["finished"]


def test_extended_run_resumes_with_its_new_options(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("fit", *TINY, "--run=runs/whole", "--trainer.max_steps=10") == 0
    trained("gan", "runs/parts")
    interrupted = signalled(FractalGAN, 7, signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", interrupted)
        assert call("fit", "--run=runs/parts/", "--ckpt_path=last", "--trainer.max_steps=10") == 130
    assert "max_steps: 6" in Path("runs/parts/config_until_000006.yaml").read_text()
    assert call("fit", "--ckpt_path=runs/parts/checkpoints/last.ckpt") == 0
    summary = json.loads(Path("runs/parts/summary.json").read_text())
    assert summary["finished"]
    assert summary["step"] == 10
    # the weights differ from those of one longer run, whose instance noise fades later
    assert [row["step"] for row in rows(Path("runs/parts"))] == [
        row["step"] for row in rows(Path("runs/whole"))
    ]


def test_options_of_the_data_that_change_are_told(
    call: Call, trained: Trained, logs: pytest.LogCaptureFixture
) -> None:
    """Those of the command line hold, except for the size, which the model was made for."""
    trained("gan", "mine")
    assert call("fit", *RESUME, "--data.size=64", "--data.batch_size=4") == 0
    assert "ignoring --data.size 64: the checkpoint was trained with 16" in logs.text
    assert "using --data.batch_size 4: mine was trained with 8" in logs.text
    assert logs.text.count("was trained with") == 2
    assert "batch_size: 4" in Path("mine/config.yaml").read_text()


def test_changed_options_are_told_as_they_are_typed(
    call: Call, trained: Trained, logs: pytest.LogCaptureFixture
) -> None:
    trained("gan", "mine")
    assert call("fit", *RESUME, "--data.ignore_invalid=true", "--data.binarize=null") == 0
    assert "using --data.ignore_invalid true: mine was trained with false" in logs.text
    assert "using --data.binarize null: mine was trained with auto" in logs.text


@pytest.mark.parametrize("damaged", [b"\xff\xfe", b"data: 2020-99-99", b"data: &x {y: *x}", b"[", b""])
def test_damaged_config_of_a_run(
    call: Call, trained: Trained, capsys: pytest.CaptureFixture[str], damaged: bytes
) -> None:
    trained("gan", "mine")
    Path("mine/config.yaml").write_bytes(damaged)
    given = ["--config=gan_digits.yaml", *TINY]
    assert call("validate", *given, "--ckpt_path=mine/checkpoints/last.ckpt") == 0
    capsys.readouterr()
    assert call("fit", *given, "--run=mine") == 2
    expected = "mine was started with different options (its config.yaml is not valid YAML): use the same"
    assert expected in capsys.readouterr().err


def test_run_that_died_resumes_from_its_last_checkpoint(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at step 5, after the checkpoint of step 3: the row of step 4 is not repeated."""
    trained("gan", "runs/whole")
    step = FractalGAN.training_step

    def dying(self: FractalGAN, batch, batch_idx: int) -> None:
        if self.global_step == 5:
            raise SystemExit(9)  # without saving anything
        step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", dying)
        with pytest.raises(SystemExit):
            call("fit", *TINY, "--run=runs/died")
    with Path("runs/died/metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "tra')
    assert call("fit", *TINY, "--run=runs/died", "--ckpt_path=last") == 0
    assert rows(Path("runs/died")) == rows(Path("runs/whole"))
    whole, died = (weights(Path(f"runs/{name}/checkpoints/last.ckpt")) for name in ("whole", "died"))
    assert all(whole[name].equal(died[name]) for name in whole)


def test_signal_to_another_rank_stops_the_run(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SingleDeviceStrategy, "reduce_boolean_decision", lambda *_, **__: True)
        assert call("fit", *TINY, "--run=mine") == 143
    assert not json.loads(Path("mine/summary.json").read_text())["finished"]
    assert call("fit", *TINY, "--run=mine") == 0
    assert json.loads(Path("mine/summary.json").read_text())["step"] == 6


@pytest.mark.parametrize(("before", "status"), [(signal.SIG_DFL, 128 + signal.SIGHUP), (signal.SIG_IGN, 0)])
def test_closed_terminal_stops_a_run_unless_nohup_ignores_it(
    call: Call, monkeypatch: pytest.MonkeyPatch, before: signal.Handlers, status: int
) -> None:
    interrupted = signalled(FractalGAN, 3, signal.SIGHUP)
    monkeypatch.setattr(FractalGAN, "training_step", interrupted)
    outside = signal.signal(signal.SIGHUP, before)
    try:
        assert call("fit", *TINY, "--run=mine") == status
    finally:
        signal.signal(signal.SIGHUP, outside)
    assert json.loads(Path("mine/summary.json").read_text())["step"] == (4 if status else 6)


def test_signal_of_slurm_saves_in_the_run_folder(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning alone would save within the step, to a folder that any later run is resumed from."""
    for name, value in {"NTASKS": "1", "JOB_NAME": "a", "JOB_ID": "1", "PROCID": "0", "LOCALID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURM_NODEID", "0")
    interrupted = signalled(FractalGAN, 3, signal.SIGUSR1)
    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", interrupted)
        assert call("fit", *TINY, "--run=mine") == 128 + signal.SIGUSR1
    assert not list(Path().rglob("hpc_ckpt*"))
    assert torch.load("mine/checkpoints/last.ckpt", weights_only=True)["global_step"] == 4


def test_ctrl_c_during_evaluation(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("gan", "mine")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(FractalGAN, "validation_step", interrupted)
    assert call("validate", "--run=mine", "--ckpt_path=last") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "fractalgan: interrupted"
    signal.signal(signal.SIGINT, before)


def test_finished_run_can_be_extended(call: Call, trained: Trained) -> None:
    trained("gan", "runs/gan-digits-1")
    assert call("fit", *TINY, "--ckpt_path=last", "--trainer.max_steps=9") == 0
    assert [row["step"] for row in rows(Path("runs/gan-digits-1"))] == [2, 3, 4, 6, 6, 8, 9]
    assert not Path("runs/gan-digits-2").exists()


@pytest.mark.parametrize("named", [["--run=runs/gan-digits-1"], []], ids=["named", "newest"])
def test_another_checkpoint_replaces_a_missing_last_one(
    call: Call, trained: Trained, named: list[str], logs: pytest.LogCaptureFixture
) -> None:
    last = trained("gan", "runs/gan-digits-1") / "checkpoints/last.ckpt"
    last.unlink()
    assert call("fit", "--ckpt_path=last", *named, "--trainer.max_steps=9") == 0
    assert f"{last} is missing: resuming from {last.with_name('best.ckpt')} instead" in logs.text
    assert torch.load(last, weights_only=True)["global_step"] == 9


def test_resuming_from_an_earlier_checkpoint_keeps_what_came_after(call: Call, trained: Trained) -> None:
    trained("gan", "runs/gan-digits-1")
    best = Path("runs/gan-digits-1/checkpoints/best.ckpt")
    best.with_name("early.ckpt").write_bytes(best.read_bytes())
    before = content(Path("runs/gan-digits-1"))
    assert call("fit", *TINY, "--trainer.max_steps=9", f"--ckpt_path={best.with_name('early.ckpt')}") == 0
    assert content(Path("runs/gan-digits-1")) == before
    assert Path("runs/gan-digits-2/checkpoints/last.ckpt").is_file()


def test_hyperparameters_overridden_by_the_checkpoint_are_named(
    call: Call, trained: Trained, logs: pytest.LogCaptureFixture
) -> None:
    trained("gan", "runs/gan-digits-1")
    options = [*TINY, "--ckpt_path=last", "--trainer.max_steps=7", "--seed_everything=3"]
    options += ["--model.num_fractals=9", "--model.generator_betas=[0.1, 0.2]"]
    assert call("fit", *options) == 0
    assert [message for message in logs.messages if message.startswith("ignoring")] == [
        "ignoring --seed_everything 3: the checkpoint was trained with 0",
        "ignoring --model.num_fractals 9: the checkpoint was trained with 4",
        "ignoring --model.generator_betas [0.1, 0.2]: the checkpoint was trained with [0.5, 0.99]",
    ]


def test_older_run_on_images_in_color_stays_in_grayscale(call: Call, tmp_path: Path) -> None:
    """Of a version that read all images in grayscale, and had no option for it."""
    for number in range(12):
        save(tmp_path / "images" / f"{number}.png", shape((250, 220, 30 * (number % 3)), 0))
    options = [*TINY, "--data.root=images", "--data.channels=1", "--model.generator_schedule=constant"]
    assert call("fit", "--config=gan_folder.yaml", *options, "--run=mine") == 0
    config = Path("mine/config.yaml")
    kept = [line for line in config.read_text().splitlines() if "channels:" not in line]
    config.write_text("\n".join(kept))
    assert call("fit", "--ckpt_path=mine/checkpoints/last.ckpt", "--trainer.max_steps=7") == 0
    assert rows(Path("mine"))[-1]["step"] == 7
