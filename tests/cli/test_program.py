"""The program as a user starts it: another process, a real signal, a cold start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import TINY

PROGRAM = [sys.executable, "-m", "fractalgan"]


def start(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True, timeout=200, check=False
    )


def test_fit_from_the_command_line(tmp_path: Path) -> None:
    done = start("fit", *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/gan-digits-1/summary.json").is_file()
    assert "step 6 of 6" in done.stderr
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_input_is_one_line_on_stderr(tmp_path: Path) -> None:
    done = start("fit", "--data.name=folder", "--data.root=none", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "fractalgan: error: no folder none: give the folder of your images as --data.root"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_prints_how_to_resume(number: signal.Signals, tmp_path: Path) -> None:
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
    deadline = time.monotonic() + 120
    while not (folder / "checkpoints/last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "stopped at step" in out
    command = next(line for line in out.splitlines() if line.startswith("resume:")).partition(
        "-m fractalgan "
    )[2]
    step = int(out.partition("stopped at step ")[2].partition(" in ")[0])
    done = start(*command.split(), f"--trainer.max_steps={step + 3}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"finished at step {step + 3}" in done.stdout
