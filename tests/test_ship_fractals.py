"""benchmarks/ship_fractals.py: the fractals of a run, with their provenance."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fractalgan.storage import read_fractals
from tests.conftest import TINY

MAKE = Path(__file__).parents[1] / "benchmarks/ship_fractals.py"


def make(run: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MAKE), run, "mine", "--folder", "."]
    return subprocess.run(command, capture_output=True, text=True)


def test_file_has_the_provenance_of_its_run(call: Callable[..., int]) -> None:
    assert call("fit", *TINY, "--run=gan") == 0
    done = make("gan")
    assert done.returncode == 0, done.stderr
    made, last = read_fractals("mine.safetensors"), read_fractals("gan/checkpoints/last.ckpt")
    assert all(made.parameters[name].equal(last.parameters[name]) for name in last.parameters)
    assert made.settings == last.settings
    assert made.provenance["data"]["name"] == "digits"
    assert made.provenance["recipe"]["num_fractals"] == 4
    assert (made.provenance["step"], made.provenance["seed"]) == (6, 0)
    assert "val/frechet_pixels" in made.provenance["scores"]
    assert Path("mine.png").is_file()


@pytest.mark.usefixtures("call")
def test_unfinished_run_is_refused_in_one_line() -> None:
    done = make("nothing")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["ship_fractals.py: error: run folder nothing does not exist"]
    assert not list(Path().glob("mine.*"))
