"""Runs that are stopped, killed, moved, finished, and the same command again."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fractalgan.storage import RunFolder
from fractalgan.tasks import FractalGAN, Task
from tests.cli.folders import TASKS, content, rows, signalled, weights
from tests.conftest import TINY

Call = Callable[..., int]


@pytest.mark.parametrize(
    ("stop_after", "number"),
    [(1, signal.SIGINT), (2, signal.SIGTERM), (3, signal.SIGUSR1), (4, signal.SIGTERM), (5, signal.SIGINT)],
)
def test_interrupted_run_equals_an_uninterrupted_one(
    call: Call,
    stop_after: int,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Same weights to the bit, same rows, no gap and no double one, wherever the signal comes."""
    assert call("fit", *TINY, "--run=runs/whole") == 0

    interrupted = signalled(FractalGAN, stop_after - 1, number)
    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", interrupted)
        capsys.readouterr()
        assert call("fit", *TINY, "--run=runs/halves") == 128 + number
    said = capsys.readouterr().out
    assert f"stopped at step {stop_after}" in said
    assert "fit --ckpt_path runs/halves/checkpoints/last.ckpt" in said
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


def test_extended_run_resumes_with_its_new_options(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("fit", *TINY, "--run=runs/whole", "--trainer.max_steps=10") == 0
    assert call("fit", *TINY, "--run=runs/parts/") == 0
    interrupted = signalled(FractalGAN, 7, signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", interrupted)
        assert call("fit", "--run=runs/parts/", "--ckpt_path=last", "--trainer.max_steps=10") == 130
    assert "max_steps: 6" in Path("runs/parts/config_until_000006.yaml").read_text()
    assert call("fit", "--ckpt_path=runs/parts/checkpoints/last.ckpt") == 0
    summary = json.loads(Path("runs/parts/summary.json").read_text())
    assert summary["finished"]
    assert summary["step"] == 10
    # not the same weights as in one go: the instance noise had faded by step 6
    assert [row["step"] for row in rows(Path("runs/parts"))] == [
        row["step"] for row in rows(Path("runs/whole"))
    ]


def test_run_that_died_resumes_from_its_last_checkpoint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at step 5, after the checkpoint of step 3: the row of step 4 is not there twice."""
    assert call("fit", *TINY, "--run=runs/whole") == 0
    step = FractalGAN.training_step

    def dying(self: FractalGAN, batch, batch_idx: int) -> None:
        if self.global_step == 5:
            raise SystemExit(9)  # nothing of Lightning's or ours gets to save
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


def test_signal_to_another_process_of_the_run_stops_it_unfinished(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SingleDeviceStrategy, "reduce_boolean_decision", lambda *_, **__: True)
        assert call("fit", *TINY, "--run=mine") == 143
    assert not json.loads(Path("mine/summary.json").read_text())["finished"]
    assert call("fit", *TINY, "--run=mine") == 0
    assert json.loads(Path("mine/summary.json").read_text())["step"] == 6


@pytest.mark.parametrize(("before", "status"), [(signal.SIG_DFL, 128 + signal.SIGHUP), (signal.SIG_IGN, 0)])
def test_closed_terminal_stops_a_run_unless_it_is_to_be_ignored(
    call: Call, monkeypatch: pytest.MonkeyPatch, before: signal.Handlers, status: int
) -> None:
    """As `nohup` has it."""
    interrupted = signalled(FractalGAN, 3, signal.SIGHUP)
    monkeypatch.setattr(FractalGAN, "training_step", interrupted)
    outside = signal.signal(signal.SIGHUP, before)
    try:
        assert call("fit", *TINY, "--run=mine") == status
    finally:
        signal.signal(signal.SIGHUP, outside)
    assert json.loads(Path("mine/summary.json").read_text())["step"] == (4 if status else 6)


def test_slurm_stops_a_run_by_its_own_checkpoint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning would save within the step, to the current folder, and begin there whatever runs next."""
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
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(FractalGAN, "validation_step", interrupted)
    assert call("validate", *TINY) == 130
    assert "interrupted" in capsys.readouterr().err
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("died_at", [2, 5], ids=["before its first checkpoint", "later"])
@pytest.mark.parametrize("task", TASKS)
def test_same_command_resumes_a_run_that_died(
    call: Call, task: str, died_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, options = TASKS[task]
    assert call("fit", *options, "--run=whole") == 0
    step = kind.training_step

    def dying(self: Task, batch: Any, batch_idx: int) -> Any:
        if self.global_step == died_at:
            raise SystemExit(9)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "training_step", dying)
        with pytest.raises(SystemExit):
            call("fit", *options, "--run=died")
    assert Path("died/checkpoints/last.ckpt").exists() == (died_at > 3)
    with monkeypatch.context() as patch:
        patch.setattr(kind, "training_step", dying)  # and once more
        with pytest.raises(SystemExit):
            call("fit", *options, "--run=died")
    assert call("fit", *options, "--run=died") == 0
    starts = json.loads(Path("died/environment.json").read_text())
    assert [start["step"] for start in starts] == ([0, 0, 0] if died_at < 3 else [0, 3, 3])
    assert not list(Path("died").glob("config_until_*"))
    assert rows(Path("died")) == rows(Path("whole"))
    whole, died = (weights(Path(f"{name}/checkpoints/last.ckpt")) for name in ("whole", "died"))
    assert all(whole[name].equal(died[name]) for name in whole)


def test_same_command_with_other_options_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY, "--run=mine") == 0
    before = content(Path("mine"))
    assert call("fit", *TINY, "--run=mine", "--model.tau=2") == 1
    told = "mine has a run with other options (model.tau is null there, 2.0 here)"
    assert told in capsys.readouterr().err
    assert content(Path("mine")) == before


@pytest.mark.parametrize("checkpoints", [True, False])
def test_same_command_on_a_finished_run_says_so(
    call: Call, capsys: pytest.CaptureFixture[str], said: pytest.LogCaptureFixture, checkpoints: bool
) -> None:
    """A batch queue that starts its jobs again must not count it as failed."""
    command = ["fit", *TINY, "--run=mine", f"--trainer.enable_checkpointing={checkpoints}"]
    assert call(*command) == 0
    first, before = capsys.readouterr().out, content(Path("mine"))
    assert call(*command) == 0
    assert "mine is finished: there is nothing left to do" in said.text
    assert capsys.readouterr().out == first
    assert content(Path("mine")) == before


@pytest.mark.parametrize("task", TASKS)
def test_same_command_completes_a_run_that_died_after_its_last_step(call: Call, task: str) -> None:
    _, options = TASKS[task]
    assert call("fit", *options, "--run=mine") == 0
    before = _ends(Path("mine"))
    for path in [
        Path("mine/summary.json"),
        Path("mine/figures/fit.gif"),
        Path("mine/figures/before_after_real.png"),
    ]:
        path.unlink(missing_ok=True)
    assert call("fit", *options, "--run=mine") == 0
    assert _ends(Path("mine")) == before


def _ends(folder: Path) -> dict[str, bytes]:
    """What a run leaves: not the time of its last start, nor the events, of which every start has a file."""
    seconds = re.compile(rb'"(seconds|since)": .*')
    return {path: seconds.sub(b"", each) for path, each in content(folder).items() if "tfevents" not in path}


def test_extended_run_that_died_is_not_finished(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("fit", *TINY, "--run=mine") == 0
    longer = [*TINY, "--run=mine", "--trainer.max_steps=9"]

    def dying(*_: Any) -> Any:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", dying)
        with pytest.raises(SystemExit):
            call("fit", *longer, "--ckpt_path=last")
    assert call("fit", *longer) == 0
    assert json.loads(Path("mine/summary.json").read_text())["step"] == 9


def test_newest_good_checkpoint_takes_the_place_of_a_damaged_one(
    call: Call, said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FractalGAN, "checkpoint_interval", 1)
    assert call("fit", *TINY, "--run=whole") == 0
    shutil.copytree("whole", "hurt")
    checkpoints = Path("hurt/checkpoints")
    flipped = bytearray((checkpoints / "last.ckpt").read_bytes())
    flipped[len(flipped) // 2] ^= 1  # one bit, which torch does not notice
    for path in [checkpoints / "last.ckpt", checkpoints / "best.ckpt", *checkpoints.glob("*[56].ckpt")]:
        path.write_bytes(flipped)
    (checkpoints / "step_000004.ckpt").write_bytes(b"damaged, too")
    assert call("fit", *TINY, "--run=hurt") == 0
    said_so = "hurt/checkpoints/last.ckpt is damaged: resuming from hurt/checkpoints/step_000003.ckpt instead"
    assert said_so in said.text
    whole, hurt = (weights(Path(f"{name}/checkpoints/last.ckpt")) for name in ("whole", "hurt"))
    assert all(whole[name].equal(hurt[name]) for name in whole)
    assert rows(Path("hurt")) == rows(Path("whole"))

    for path in checkpoints.iterdir():
        path.write_bytes(flipped)
    before = content(Path("hurt"))
    assert call("fit", *TINY, "--run=hurt") == 1
    assert content(Path("hurt")) == before


HOLD = """
import pathlib
from fractalgan.storage import RunFolder
with RunFolder(pathlib.Path("mine")).locked():
    print("locked", flush=True)
    input()
"""


def test_folder_that_a_program_has_just_written_to_is_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is done between the reading of its checkpoint and the locking: its rows would be dropped."""
    assert call("fit", *TINY, "--run=mine") == 0
    locked = RunFolder.locked

    @contextlib.contextmanager
    def late(self: RunFolder) -> Iterator[None]:
        os.utime(self.last)
        with locked(self):
            yield

    monkeypatch.setattr(RunFolder, "locked", late)
    before = content(Path("mine"))
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 1
    assert "another program has just written to mine" in capsys.readouterr().err
    assert content(Path("mine")) == before


def test_run_without_its_last_checkpoint_is_not_restarted(
    call: Call, capsys: pytest.CaptureFixture[str], said: pytest.LogCaptureFixture
) -> None:
    assert call("fit", *TINY, "--run=mine") == 0
    Path("mine/checkpoints/last.ckpt").unlink()
    assert call("fit", *TINY, "--run=mine") == 0
    assert "last.ckpt is missing: resuming from mine/checkpoints/best.ckpt instead" in said.text
    assert Path("mine/checkpoints/last.ckpt").is_file()
    bare = ["fit", *TINY, "--run=bare", "--trainer.enable_checkpointing=false"]
    assert call(*bare) == 0
    summary = Path("bare/summary.json")
    summary.write_text(summary.read_text().replace('"finished": true', '"finished": false'))
    before = content(Path("bare"))
    assert call(*bare) == 1
    assert "bare has a run without checkpoints" in capsys.readouterr().err
    assert content(Path("bare")) == before


def test_folder_that_a_program_writes_to_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY, "--run=mine") == 0
    before = content(Path("mine"))
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()  # it has the lock
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 1
    assert "another program is writing to mine" in capsys.readouterr().err
    before[str(Path("mine/.lock"))] = b""
    assert content(Path("mine")) == before
    holder.kill()
    holder.communicate()
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 0


def test_finished_run_can_be_extended(call: Call) -> None:
    assert call("fit", *TINY) == 0
    assert call("fit", *TINY, "--ckpt_path=last", "--trainer.max_steps=9") == 0
    assert [row["step"] for row in rows(Path("runs/gan-digits-1"))] == [2, 3, 4, 6, 6, 8, 9]
    assert not Path("runs/gan-digits-2").exists()


def test_going_on_from_an_earlier_checkpoint_leaves_what_came_after(call: Call) -> None:
    assert call("fit", *TINY) == 0
    before = content(Path("runs/gan-digits-1"))
    best = Path("runs/gan-digits-1/checkpoints/best.ckpt")
    best.with_name("early.ckpt").write_bytes(best.read_bytes())
    before = content(Path("runs/gan-digits-1"))
    assert call("fit", *TINY, "--trainer.max_steps=9", f"--ckpt_path={best.with_name('early.ckpt')}") == 0
    assert content(Path("runs/gan-digits-1")) == before
    assert Path("runs/gan-digits-2/checkpoints/last.ckpt").is_file()


def test_hyper_parameters_that_give_way_to_the_checkpoint_are_named(
    call: Call, said: pytest.LogCaptureFixture
) -> None:
    assert call("fit", *TINY) == 0
    options = [*TINY, "--ckpt_path=last", "--trainer.max_steps=7", "--model.num_fractals=9"]
    assert call("fit", *options) == 0
    assert "model.num_fractals is 4, from the checkpoint (not 9)" in said.text
