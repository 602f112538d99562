"""benchmarks/ship_fractals.py: the fractals of a run, with their provenance."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fractalgan.storage import read_fractals, write_fractals
from tests.conftest import TINY_DISTILLATION, TINY_RECONSTRUCTION

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def ship(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], int]:
    """Run the program on a run folder; its files go to the current folder, named mine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(BENCHMARKS)

    def run(folder: str) -> int:
        monkeypatch.setattr(sys, "argv", ["ship_fractals.py", folder, "mine", "--folder", "."])
        status: int = importlib.import_module("ship_fractals").main()
        return status

    return run


def test_file_has_the_provenance_of_its_run(
    ship: Callable[[str], int], trained: Callable[[str, str], Path]
) -> None:
    trained("gan", "gan")
    assert ship("gan") == 0
    made, last = read_fractals("mine.safetensors"), read_fractals("gan/checkpoints/last.ckpt")
    assert all(made.parameters[name].equal(last.parameters[name]) for name in last.parameters)
    assert made.settings == last.settings
    assert made.provenance["data"]["name"] == "digits"
    assert made.provenance["recipe"]["num_fractals"] == 4
    assert (made.provenance["step"], made.provenance["seed"]) == (6, 0)
    assert "val/frechet_pixels" in made.provenance["scores"]
    assert Path("mine.png").is_file()


def test_file_of_a_distillation_also_has_the_provenance_of_what_it_started_from(
    ship: Callable[[str], int], call_with_fractals: Callable[..., int]
) -> None:
    options = [*TINY_DISTILLATION, "--model.fractals=labeled.safetensors"]
    assert call_with_fractals("fit", "--config=distillation.yaml", *options, "--run=run") == 0
    start = read_fractals("labeled.safetensors")
    write_fractals(Path("labeled.safetensors"), start._replace(provenance={"task": "Reconstruction"}))
    assert ship("run") == 0
    made = read_fractals("mine.safetensors")
    assert made.provenance["initial_fractals"] == {"task": "Reconstruction"}
    assert made.provenance["task"] == "Distillation"
    assert "fractals" not in made.provenance["recipe"]
    assert made.parameters["labels"].equal(start.parameters["labels"])
    assert "val/error" in made.provenance["scores"]


def test_picture_has_a_row_per_class_if_classes_have_equally_many_fractals(
    ship: Callable[[str], int], call: Callable[..., int]
) -> None:
    options = ["--config=labeled_fractals.yaml", *TINY_RECONSTRUCTION, "--data.size=16"]
    four = ["--data.count=4", "--data.per_class=null", "--data.exemplars=first"]
    assert call("fit", *options, *four, "--run=few") == 0
    assert call("fit", *options, "--data.count=null", "--data.per_class=2", "--run=even") == 0
    sizes = []
    for folder in ("few", "even"):
        assert ship(folder) == 0
        with Image.open("mine.png") as picture:
            sizes.append(picture.size)
    assert sizes == [(4 * 17 + 1, 17 + 1), (2 * 17 + 1, 10 * 17 + 1)]


def test_missing_run_is_refused_in_one_line(
    ship: Callable[[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ship("nothing") == 1
    error = capsys.readouterr().err
    assert error.splitlines() == [
        "ship_fractals.py: error: run folder nothing does not exist: set --run to an existing one"
    ]
    assert not list(Path().glob("mine.*"))


def test_unfinished_run_is_refused_in_one_line(
    ship: Callable[[str], int], trained: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    summary = trained("gan", "gan") / "summary.json"
    summary.write_text(summary.read_text().replace('"finished": true', '"finished": false'))
    assert ship("gan") == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("ship_fractals.py: error: gan is not finished")
    assert not list(Path().glob("mine.*"))
