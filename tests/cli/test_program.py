"""The program as a user starts it: a process of its own, and real signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY, TINY_RECONSTRUCTION

pytestmark = pytest.mark.timeout(300)
PROGRAM = [sys.executable, "-m", "fractalgan"]


def start(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def test_fit_from_the_command_line(tmp_path: Path) -> None:
    done = start("fit", *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/gan-digits-1/summary.json").is_file()
    assert "step 6 of 6" in done.stderr
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_input_is_one_line_on_stderr(tmp_path: Path) -> None:
    done = start("fit", "--data.name=folder", "--data.root=none", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "fractalgan: error: there is no folder none: set --data.root to the folder of your images"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_prints_how_to_resume(
    number: signal.Signals, call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*TINY, "--trainer.max_steps=100000", "--trainer.val_check_interval=20"]
    process = subprocess.Popen(
        [*PROGRAM, "fit", *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    folder = tmp_path / "runs/gan-digits-1"
    while not (folder / "checkpoints/last.ckpt").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == 128 + number, err
    assert "stopped at step" in out
    (line,) = (line for line in out.splitlines() if line.startswith("resume:"))
    command = line.partition("-m fractalgan ")[2].split()
    step = int(out.partition("stopped at step ")[2].partition(" after ")[0])
    assert call(*command, f"--trainer.max_steps={step + 3}") == 0
    assert f"finished at step {step + 3}" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_before_the_first_step_leaves_nothing(
    number: signal.Signals,
    call: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As while collages are searched, which takes a minute for many targets."""
    start = "fractalgan.tasks.reconstruction.fitted_fractals"
    monkeypatch.setattr(start, lambda *_: os.kill(os.getpid(), number))
    options = ["--model=Reconstruction", "--data=TargetData", *TINY_RECONSTRUCTION]
    before = signal.getsignal(number)
    with caplog.at_level("INFO", logger="fractalgan"), pytest.raises(SystemExit) as stopped:
        call("fit", *options)
    assert stopped.value.code == 128 + number
    assert signal.getsignal(number) == before
    assert f"{number.name}: stopped before the first step" in caplog.text
    assert not list(Path("runs").iterdir())
