"""The summary of a run."""

from dataclasses import replace
from pathlib import Path

import pytest

from fractalgan.reports import Summary
from fractalgan.storage import RunFolder

SUMMARY = Summary(
    version="0.1.0",
    task="FractalGAN",
    data="digits",
    seed=0,
    step=600,
    max_steps=1500,
    finished=True,
    seconds=75.2,
    since=0,
    monitor="val/frechet_pixels",
    best=0.5,
    validated=500,
    metrics={"val/frechet_pixels": 0.5},
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"step": 1500}, "finished at step 1500 after 1:15 min"),
        ({"finished": False}, "stopped at step 600 after 1:15 min"),
        ({}, "ended early, at step 600 of 1500, after 1:15 min"),
        ({"finished": False, "since": 500}, "stopped at step 600 after 1:15 min (resumed at step 500)"),
        ({"max_steps": -1}, "finished at step 600 after 1:15 min"),
    ],
)
def test_first_line_of_the_summary(tmp_path: Path, changes: dict[str, object], expected: str) -> None:
    first = replace(SUMMARY, **changes).lines(RunFolder(tmp_path))[0]
    assert first == f"FractalGAN on digits: {expected}"


def test_best_score_is_printed_if_there_is_one(tmp_path: Path) -> None:
    assert "best val/frechet_pixels: 0.5" in SUMMARY.lines(RunFolder(tmp_path))
    lines = replace(SUMMARY, best=None).lines(RunFolder(tmp_path))
    assert not any(line.startswith("best") for line in lines)


def test_summary_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert Summary.read(folder) is None
    SUMMARY.write(folder)
    assert Summary.read(folder) == SUMMARY


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"step": 5}'])
def test_other_content_is_not_a_summary(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text)
    assert Summary.read(RunFolder(tmp_path)) is None


def test_metrics_of_another_type_are_not_a_summary(tmp_path: Path) -> None:
    replace(SUMMARY, metrics=5).write(RunFolder(tmp_path))  # type: ignore[arg-type]
    assert Summary.read(RunFolder(tmp_path)) is None
