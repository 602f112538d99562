"""Two processes on one machine, as a user starts them."""

import subprocess
import sys
from pathlib import Path

FIT = [sys.executable, "-m", "fractalgan", "fit", "--trainer.accelerator=cpu"]


def by_two(*options: str) -> list[str]:
    return [*FIT, *options, "--trainer.devices=2", "--trainer.strategy=ddp"]


def fit_by_one(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return _run([*FIT, *options], cwd)


def fit_by_two(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return _run(by_two(*options), cwd)


def run_file(path: str | Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python file with these arguments."""
    return _run([sys.executable, str(path), *arguments], cwd)


def _run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done
