"""What is gone on from: the checkpoint that a word means, in every process of a run."""

import os
from pathlib import Path

import pytest

from fractalgan import origin
from fractalgan.errors import InputError
from fractalgan.origin import named_checkpoint, origin_of_command
from fractalgan.run_folder import RunFolder


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRACTALGAN_CKPT", "")


def saved(run: str, time: int) -> Path:
    path = Path(run, "checkpoints", "last.ckpt")
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (time, time))
    return path


def test_path_means_itself() -> None:
    assert named_checkpoint("some/where.ckpt", "runs/a-1") == Path("some/where.ckpt")


def test_word_means_the_run_that_is_named_or_the_one_that_saved_last() -> None:
    first, second = saved("runs/a-1", 1), saved("runs/b-1", 2)
    assert named_checkpoint("last", "runs/a-1") == first
    assert named_checkpoint("last", None) == second
    assert named_checkpoint("last", None, "a") == first
    with pytest.raises(InputError, match=r"runs/a-1 holds no best\.ckpt"):
        named_checkpoint("best", "runs/a-1")


def test_other_processes_take_what_the_first_has_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are started seconds later: another run may have saved since."""
    first = saved("runs/a-1", 1)
    assert named_checkpoint("last", None) == first
    saved("runs/b-1", 2)
    monkeypatch.setattr(origin, "is_rank_zero", lambda: False)
    assert named_checkpoint("last", None) == first


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("model: {init_args: {tau: 2.0, seed: 0}}", r"model\.tau is 2\.0 there, 1\.0 here"),
        ("model: {init_args: {tau: 1.0}}", r"model\.seed is in one of them"),
        ("model: {init_args: {seed: 0, tau: 1.0}}", "in their order"),
        ("model: [", "no YAML any more"),
    ],
)
def test_what_other_options_are_is_told(before: str, told: str) -> None:
    Path("config.yaml").write_text(before)
    with pytest.raises(InputError, match=rf"holds a run already, with other options \(.*{told}\)"):
        origin_of_command(RunFolder(Path()), "model: {init_args: {tau: 1.0, seed: 0}}\n")
