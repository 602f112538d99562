"""The same seed gives the same bits with any number of threads and of data workers."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.cli.folders import TASKS, weights

pytestmark = pytest.mark.timeout(300)
Call = Callable[..., int]
OTHERS = ["reconstruction", "pretraining", "probe", "classifier", "distillation"]


def fit_with_threads(count: int, *options: str) -> None:
    """Fit in a process with this number of threads, which OpenMP fixes when torch is imported."""
    command = [sys.executable, "-m", "fractalgan", "fit", *options]
    environment = os.environ | {"OMP_NUM_THREADS": str(count)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def require_same_bits(first: str, second: str) -> None:
    one, other = (weights(Path(f"{run}/checkpoints/last.ckpt")) for run in (first, second))
    assert all(one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize(
    "task", ["gan", "encoder", *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)]
)
def test_bits_do_not_depend_on_the_number_of_threads(task: str, call: Call) -> None:
    _, options = TASKS[task]
    fit_with_threads(3, *options, "--run=three")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert call("fit", *options, "--run=one") == 0
    finally:
        torch.set_num_threads(before)
    require_same_bits("one", "three")


def test_bits_do_not_depend_on_the_number_of_data_workers(call: Call) -> None:
    _, options = TASKS["pretraining"]
    options = [*options, "--data.fresh=true"]
    fit_with_threads(2, *options, "--data.num_workers=2", "--run=two")
    assert call("fit", *options, "--data.num_workers=0", "--run=none") == 0
    require_same_bits("none", "two")
