"""The commands that are printed at the end of a run."""

import shlex
import sys
from pathlib import Path

import pytest

from fractalgan.reports import commands_after_fit, quote
from fractalgan.storage import RunFolder
from fractalgan.tasks import FractalGAN, LinearProbe, Reconstruction, Task


@pytest.mark.parametrize("finished", [True, False])
def test_paths_with_spaces_are_quoted(
    tmp_path: Path, finished: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # programs outside of the current folder and the PATH have absolute paths
    monkeypatch.setenv("PATH", "")
    run = RunFolder(tmp_path / "my runs" / "one")
    run.checkpoints.mkdir(parents=True)
    run.last.touch()
    command, *others = commands_after_fit(run, LinearProbe(image_size=16), finished)
    resume, evaluate = ["--run", str(run), "--ckpt_path", "last"], ["--ckpt_path", str(run.last)]
    assert shlex.split(command)[-4:] == resume if not finished else shlex.split(command)[-2:] == evaluate
    curves = ["curves:", str(Path(sys.executable).with_name("tensorboard")), "--logdir", str(run.path.parent)]
    assert [shlex.split(other) for other in others] == [curves] * finished


def test_programs_of_the_path_are_called_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path)
    run.checkpoints.mkdir(parents=True)
    run.last.touch()
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    programs = [line.split()[1] for line in commands_after_fit(run, FractalGAN(image_size=16), finished=True)]
    assert programs == ["python", "python", "python", "tensorboard"]


@pytest.mark.parametrize("task", [FractalGAN(image_size=16), Reconstruction(num_targets=2)])
def test_commands_are_labeled_by_their_verbs(task: Task, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "mine")
    run.checkpoints.mkdir(parents=True)
    run.best.touch()
    lines = commands_after_fit(run, task, finished=True)
    found = dict(line.split(":", 1) for line in lines)
    assert found["draw"].endswith(f" -m fractalgan draw {quote(run.best)}")
    assert found["images"].endswith(f" -m fractalgan predict --ckpt_path {quote(run.best)}")
