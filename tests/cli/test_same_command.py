"""The same command in the folder of a run that died or is finished."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fractalgan.tasks import FractalGAN, Task
from tests.cli.folders import TASKS, content, rows, weights
from tests.conftest import TINY

Call = Callable[..., int]
Trained = Callable[[str, str], Path]


@pytest.mark.parametrize("died_at", [2, 5], ids=["before its first checkpoint", "later"])
@pytest.mark.parametrize("task", TASKS)
def test_same_command_resumes_a_run_that_died(
    call: Call, trained: Trained, task: str, died_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, options = TASKS[task]
    trained(task, "whole")
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
        patch.setattr(kind, "training_step", dying)  # a second time
        with pytest.raises(SystemExit):
            call("fit", *options, "--run=died")
    assert call("fit", *options, "--run=died") == 0
    starts = json.loads(Path("died/environment.json").read_text())
    assert [start["step"] for start in starts] == ([0, 0, 0] if died_at < 3 else [0, 3, 3])
    assert not list(Path("died").glob("config_until_*"))
    assert rows(Path("died")) == rows(Path("whole"))
    whole, died = (weights(Path(f"{name}/checkpoints/last.ckpt")) for name in ("whole", "died"))
    assert all(whole[name].equal(died[name]) for name in whole)


def test_same_command_with_different_options_is_refused(
    call: Call, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("gan", "mine")
    before = content(Path("mine"))
    assert call("fit", *TINY, "--run=mine", "--model.tau=2") == 2
    message = "mine was started with different options (--model.tau was null, now 2.0)"
    assert message in capsys.readouterr().err
    assert content(Path("mine")) == before


@pytest.mark.parametrize("checkpoints", [True, False])
def test_same_command_on_a_finished_run_says_so(
    call: Call, capsys: pytest.CaptureFixture[str], logs: pytest.LogCaptureFixture, checkpoints: bool
) -> None:
    """A batch queue that restarts its jobs must not count it as failed."""
    command = ["fit", *TINY, "--run=mine", f"--trainer.enable_checkpointing={checkpoints}"]
    assert call(*command) == 0
    first, before = capsys.readouterr().out, content(Path("mine"))
    assert call(*command) == 0
    assert "mine is finished: there is nothing left to do" in logs.text
    assert capsys.readouterr().out == first
    assert content(Path("mine")) == before


@pytest.mark.parametrize("task", TASKS)
def test_same_command_completes_a_run_that_died_after_its_last_step(
    call: Call, trained: Trained, task: str
) -> None:
    _, options = TASKS[task]
    trained(task, "mine")
    before = _results(Path("mine"))
    for path in [
        Path("mine/summary.json"),
        Path("mine/figures/fit.gif"),
        Path("mine/figures/before_after_real.png"),
        Path("mine/report.html"),
    ]:
        path.unlink(missing_ok=True)
    assert call("fit", *options, "--run=mine") == 0
    assert _results(Path("mine")) == before
    assert Path("mine/report.html").is_file()


def _results(folder: Path) -> dict[str, bytes]:
    """The files of a run without the times of its last start, the page, and the events of every start."""
    seconds = re.compile(rb'"(seconds|since)": .*')
    return {
        path: seconds.sub(b"", each)
        for path, each in content(folder).items()
        if "tfevents" not in path and "report.html" not in path
    }


def test_extended_run_that_died_is_not_finished(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("gan", "mine")
    longer = [*TINY, "--run=mine", "--trainer.max_steps=9"]

    def dying(*_: Any) -> Any:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", dying)
        with pytest.raises(SystemExit):
            call("fit", *longer, "--ckpt_path=last")
    assert call("fit", *longer) == 0
    assert json.loads(Path("mine/summary.json").read_text())["step"] == 9


def test_newest_good_checkpoint_replaces_a_damaged_one(
    call: Call, logs: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FractalGAN, "checkpoint_interval", 1)
    assert call("fit", *TINY, "--run=whole") == 0
    shutil.copytree("whole", "hurt")
    checkpoints = Path("hurt/checkpoints")
    flipped = bytearray((checkpoints / "last.ckpt").read_bytes())
    flipped[len(flipped) // 2] ^= 1  # one bit, which torch does not notice
    for path in [checkpoints / "last.ckpt", checkpoints / "best.ckpt", *checkpoints.glob("*[56].ckpt")]:
        path.write_bytes(flipped)
    (checkpoints / "step_000004.ckpt").write_bytes(b"damaged")
    assert call("fit", *TINY, "--run=hurt") == 0
    message = "hurt/checkpoints/last.ckpt is damaged: resuming from hurt/checkpoints/step_000003.ckpt instead"
    assert message in logs.text
    whole, hurt = (weights(Path(f"{name}/checkpoints/last.ckpt")) for name in ("whole", "hurt"))
    assert all(whole[name].equal(hurt[name]) for name in whole)
    assert rows(Path("hurt")) == rows(Path("whole"))

    for path in checkpoints.iterdir():
        path.write_bytes(flipped)
    before = content(Path("hurt"))
    assert call("fit", *TINY, "--run=hurt") == 2
    assert content(Path("hurt")) == before


def test_run_without_its_last_checkpoint_is_not_restarted(
    call: Call, trained: Trained, capsys: pytest.CaptureFixture[str], logs: pytest.LogCaptureFixture
) -> None:
    trained("gan", "mine")
    Path("mine/checkpoints/last.ckpt").unlink()
    assert call("fit", *TINY, "--run=mine") == 0
    assert "last.ckpt is missing: resuming from mine/checkpoints/best.ckpt instead" in logs.text
    assert Path("mine/checkpoints/last.ckpt").is_file()
    bare = ["fit", *TINY, "--run=bare", "--trainer.enable_checkpointing=false"]
    assert call(*bare) == 0
    summary = Path("bare/summary.json")
    summary.write_text(summary.read_text().replace('"finished": true', '"finished": false'))
    before = content(Path("bare"))
    assert call(*bare) == 2
    assert "bare has a run without checkpoints" in capsys.readouterr().err
    assert content(Path("bare")) == before
