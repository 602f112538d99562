"""The commands that are printed at the end of a run."""

import shlex
from pathlib import Path

import pytest

from fractalgan.reports import commands_after_fit
from fractalgan.storage import RunFolder
from fractalgan.tasks import LinearProbe


@pytest.mark.parametrize("finished", [True, False])
def test_paths_with_spaces_are_quoted(tmp_path: Path, finished: bool) -> None:
    run = RunFolder(tmp_path / "my runs" / "one")
    run.checkpoints.mkdir(parents=True)
    run.last.touch()
    command, *others = commands_after_fit(run, LinearProbe(image_size=16), finished)
    resume, evaluate = ["--run", str(run), "--ckpt_path", "last"], ["--ckpt_path", str(run.last)]
    assert shlex.split(command)[-4:] == resume if not finished else shlex.split(command)[-2:] == evaluate
    watch = ["--logdir", str(run.path.parent)]
    assert [shlex.split(other)[-2:] for other in others] == [watch] * finished
