"""The short form of every fault; the long one makes docs/reliability.md: `make faults`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.__main__ import FAULTS
from tests.faults.disks import damaged_checkpoints, full_disk, locked_folder, two_at_once
from tests.faults.kills import kill_often
from tests.faults.outcome import ROOT, TASKS, Outcome

pytestmark = pytest.mark.timeout(300)


def require(outcome: Outcome) -> None:
    assert outcome.lost == "nothing"
    assert outcome.survived == outcome.tried > 0


def test_killed_again_and_again(tmp_path: Path) -> None:
    require(kill_often(tmp_path, next(iter(TASKS)), 2))


def test_full_disk(tmp_path: Path) -> None:
    require(full_disk(tmp_path, [0.01, 0.5]))


def test_two_at_once(tmp_path: Path) -> None:
    require(two_at_once(tmp_path))


def test_damaged_checkpoints(tmp_path: Path) -> None:
    require(damaged_checkpoints(tmp_path, 1))


def test_malformed_inputs(tmp_path: Path) -> None:
    """In a process of its own, whose memory no other test has used."""
    code = (
        "import pathlib; from tests.faults.malformed import malformed; print(malformed(pathlib.Path(), 40))"
    )
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "| 40 | 40 | nothing |" in done.stdout, done.stdout + done.stderr


def test_locked_folder(tmp_path: Path) -> None:
    require(locked_folder(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS)
def test_at_length(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    require(FAULTS[fault](tmp_path))
