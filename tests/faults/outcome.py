"""The result of a fault, and how runs are compared."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch

from fractalgan.cli import program
from tests.conftest import TINY, TINY_RECONSTRUCTION

ROOT = Path(__file__).parents[2]
LAST = "checkpoints/last.ckpt"
FIT = [sys.executable, "-m", "fractalgan", "fit"]

# Small, with a checkpoint every ten steps.
OFTEN = ["--trainer.val_check_interval=10", "--trainer.log_every_n_steps=5"]
TASKS = {
    "GAN on digits": [*TINY, *OFTEN],
    "reconstruction of digits": ["--config=reconstruction_32px.yaml", *TINY_RECONSTRUCTION, *OFTEN],
}


class Outcome(NamedTuple):
    """A row of the table."""

    fault: str
    tried: int
    survived: int
    lost: str  # "nothing", or what

    def __str__(self) -> str:
        return f"| {self.fault} | {self.tried} | {self.survived} | {self.lost} |"


def start(folder: Path, *options: str, **given: object) -> subprocess.Popen[str]:
    """Start or resume `fit` in a process of its own, which finds the package from any folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*FIT, *options, f"--run={folder}"],
        cwd=folder.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **given,  # type: ignore[call-overload]
    )


def finish(folder: Path, *options: str, **given: object) -> tuple[int, list[str]]:
    """Run `fit` in a process of its own: its exit status, and its lines on stderr without the progress."""
    process = start(folder, *options, **given)
    _, errors = process.communicate()
    return process.returncode, _without_progress(errors)


def run_here(folder: Path, *options: str) -> tuple[int, list[str]]:
    """The same in this process, which has imported torch already."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        status = program.run(["fit", *options, f"--run={folder}"])
    return status, _without_progress(errors.getvalue())


def _without_progress(errors: str) -> list[str]:
    return [line for line in errors.splitlines() if not line.startswith("step ")]


def uninterrupted(folder: Path, *options: str) -> Path:
    """A run that is not interrupted."""
    status, lines = run_here(folder, *options)
    assert status == 0, lines
    return folder


def start_and_save(folder: Path, *options: str) -> subprocess.Popen[str]:
    """A running process that has just saved for the first time."""
    process = start(folder, *options)
    while not (folder / LAST).exists() and process.poll() is None:
        time.sleep(0.02)
    return process


def resume_and_compare(reference: Path, folder: Path, *options: str) -> tuple[list[str], str]:
    """Run `fit` to its end: its lines on stderr, and what is lost compared to an uninterrupted run."""
    status, lines = run_here(folder, *options)
    return lines, differences(reference, folder) if status == 0 else "\n".join(lines)


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def differences(reference: Path, other: Path) -> str:
    """How the last checkpoints and the metrics of two runs differ: "nothing" if they are equal to the bit."""
    first, second = (torch.load(run / LAST, weights_only=True) for run in (reference, other))
    names = [
        name for name, value in first["state_dict"].items() if not value.equal(second["state_dict"][name])
    ]
    lost = [f"bits of {name}" for name in names[:1]]
    expected, found = rows(reference), rows(other)
    missing = [row for row in expected if row not in found]
    if missing or len(expected) != len(found):
        lost.append(f"{len(missing)} rows")
    return ", ".join(lost) or "nothing"


def temporary_files(folder: Path) -> list[Path]:
    """Files that were not completed."""
    return list(folder.rglob("*.tmp"))
