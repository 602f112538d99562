"""The same seed gives the same bits, whatever the machine has to compute on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.folders import TASKS

OTHERS = ["reconstruction", "pretraining", "probe"]
PROGRAM = [sys.executable, "-m", "fractalgan", "fit"]


def state(folder: Path, threads: int, *options: str) -> dict[str, torch.Tensor]:
    command = [*PROGRAM, *options, f"--run={folder}"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, cwd=folder.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    weights: dict[str, torch.Tensor] = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)[
        "state_dict"
    ]
    return weights


@pytest.mark.parametrize(
    "task", ["gan", "encoder", *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)]
)
def test_bits_do_not_depend_on_the_number_of_threads(task: str, tmp_path: Path) -> None:
    _, options = TASKS[task]
    one, three = (state(tmp_path / str(threads), threads, *options) for threads in (1, 3))
    assert all(one[name].equal(three[name]) for name in one)


def test_bits_do_not_depend_on_the_number_of_data_workers(tmp_path: Path) -> None:
    _, options = TASKS["pretraining"]
    options = [*options, "--data.fresh=true"]
    none, two = (
        state(tmp_path / str(workers), 2, *options, f"--data.num_workers={workers}") for workers in (0, 2)
    )
    assert all(none[name].equal(two[name]) for name in none)
