"""What came of a fault, and how runs are compared."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch

from tests.conftest import TINY, TINY_RECONSTRUCTION

ROOT = Path(__file__).parents[2]
LAST = "checkpoints/last.ckpt"
FIT = [sys.executable, "-m", "fractalgan", "fit"]

# Small, with a checkpoint every ten steps.
OFTEN = ["--trainer.val_check_interval=10", "--trainer.log_every_n_steps=5"]
TASKS = {
    "GAN on digits": [*TINY, *OFTEN],
    "reconstruction of digits": [
        f"--config={ROOT / 'configs/reconstruction.yaml'}",
        *TINY_RECONSTRUCTION,
        *OFTEN,
    ],
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
    """Begin `fit`, or go on with it, in a process of its own; the package is found wherever it begins."""
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
    """Fit until it ends; the exit status, and the lines of stderr that are no progress."""
    process = start(folder, *options, **given)
    _, said = process.communicate()
    return process.returncode, [line for line in said.splitlines() if not line.startswith("step ")]


def fit_whole(folder: Path, *options: str) -> Path:
    """A run that nothing happens to."""
    status, said = finish(folder, *options)
    assert status == 0, said
    return folder


def start_and_save(folder: Path, *options: str) -> subprocess.Popen[str]:
    """A run that is on, and has just saved for the first time."""
    process = start(folder, *options)
    while not (folder / LAST).exists() and process.poll() is None:
        time.sleep(0.02)
    return process


def end(whole: Path, folder: Path, *options: str) -> tuple[list[str], str]:
    """Fit to the end: what is said, and what is lost against the run that nothing happened to."""
    status, said = finish(folder, *options)
    return said, differences(whole, folder) if status == 0 else "\n".join(said)


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def differences(whole: Path, other: Path) -> str:
    """What the ends of two runs differ in: "nothing" if neither in a bit nor in a row."""
    first, second = (torch.load(run / LAST, weights_only=True) for run in (whole, other))
    names = [
        name for name, value in first["state_dict"].items() if not value.equal(second["state_dict"][name])
    ]
    lost = [f"bits of {name}" for name in names[:1]]
    if (missing := len([row for row in rows(whole) if row not in rows(other)])) or len(rows(whole)) != len(
        rows(other)
    ):
        lost.append(f"{missing} rows")
    return ", ".join(lost) or "nothing"


def left_over(folder: Path) -> list[Path]:
    """Files that are not whole."""
    return list(folder.rglob("*.tmp"))
