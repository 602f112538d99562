"""What a command resumes: the checkpoint that "last" or "best" means, and whether options differ."""

import os
from pathlib import Path

import pytest

from fractalgan import distributed
from fractalgan.cli.resume import find_checkpoint, point_of_same_command
from fractalgan.errors import InputError
from fractalgan.storage import RunFolder


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRACTALGAN_CKPT_PATH", "")


def saved(run: str, time: int) -> Path:
    path = Path(run, "checkpoints", "last.ckpt")
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (time, time))
    return path


def test_path_is_taken_as_it_is() -> None:
    assert find_checkpoint("some/where.ckpt", "runs/a-1") == Path("some/where.ckpt")


def test_last_is_of_the_named_run_or_of_the_newest_one() -> None:
    first, second = saved("runs/a-1", 1), saved("runs/b-1", 2)
    assert find_checkpoint("last", "runs/a-1") == first
    assert find_checkpoint("last", None) == second
    assert find_checkpoint("last", None, "a") == first
    with pytest.raises(InputError, match=r"runs/a-1 has no best\.ckpt"):
        find_checkpoint("best", "runs/a-1")


def test_other_ranks_use_the_newest_run_that_rank_zero_has_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """They start seconds later, when another run may have saved."""
    first = saved("runs/a-1", 1)
    assert find_checkpoint("last", None) == first
    saved("runs/b-1", 2)
    monkeypatch.setattr(distributed, "is_rank_zero", lambda: False)
    assert find_checkpoint("last", None) == first


@pytest.mark.parametrize(
    ("earlier", "difference"),
    [
        ("model: {init_args: {tau: 2.0, seed: 0}}", r"tau was 2\.0, now 1\.0"),
        ("model: {init_args: {tau: 1.0, seed: 0}}\nplan: 3", "--plan was 3, now not set"),
        (
            "model: {init_args: {tau: 2.0}, class_path: a.B}",
            r"class_path was a\.B, now not set",
        ),
        ("model: [", "its config.yaml is not valid YAML"),
    ],
)
def test_first_different_option_is_named(earlier: str, difference: str) -> None:
    Path("config.yaml").write_text(earlier)
    with pytest.raises(InputError, match=rf"was started with different options \({difference}\)"):
        point_of_same_command(RunFolder(Path()), "model: {init_args: {tau: 1.0, seed: 0}}\n")


def test_options_that_are_newer_than_the_run_do_not_count_as_different() -> None:
    Path("config.yaml").write_text("model: {init_args: {tau: 1.0}}\noptimizer: null\nweights_only: null\n")
    point = point_of_same_command(RunFolder(Path()), "model: {init_args: {seed: 0, tau: 1.0}}\n")
    assert point.step == 0  # it saved nothing, so it starts over
