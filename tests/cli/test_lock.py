"""Two programs in one run folder."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fractalgan import distributed
from fractalgan.cli.command import exclusive
from fractalgan.cli.resume import ResumePoint
from fractalgan.distributed import rank_zero_only
from fractalgan.errors import InputError
from fractalgan.storage import RunFolder
from tests.cli.folders import content
from tests.test_distributed import FakeStore

Call = Callable[..., int]
Trained = Callable[[str, str], Path]


HOLD_LOCK = """
import pathlib
from fractalgan.storage import RunFolder
with RunFolder(pathlib.Path("mine")).locked():
    print("locked", flush=True)
    input()
"""


def test_folder_that_a_program_has_just_written_to_is_refused(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that ends after the checkpoint was read and before the lock: its rows would be dropped."""
    trained("gan", "mine")
    locked = RunFolder.locked

    @contextlib.contextmanager
    def late(self: RunFolder) -> Iterator[None]:
        os.utime(self.last)
        with locked(self):
            yield

    monkeypatch.setattr(RunFolder, "locked", late)
    before = content(Path("mine"))
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 2
    assert "another program has just written to mine" in capsys.readouterr().err
    assert content(Path("mine")) == before


def test_folder_that_a_program_is_writing_to_is_refused(
    call: Call, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("gan", "mine")
    before = content(Path("mine"))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()  # it has the lock
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 2
    assert "another program is writing to mine" in capsys.readouterr().err
    before[str(Path("mine/.lock"))] = b""
    assert content(Path("mine")) == before
    holder.kill()
    holder.communicate()
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 0


def test_no_rank_starts_where_rank_zero_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore(FRACTALGAN_LOCK_READ="1")  # the other rank does not keep rank 0 waiting
    monkeypatch.setattr(distributed, "_store_of_launcher", lambda: store)
    monkeypatch.setenv("WORLD_SIZE", "2")
    run, written_since = RunFolder.create(tmp_path / "mine"), ResumePoint(saved_ns=1)
    for rank in (0, 1):
        monkeypatch.setattr(rank_zero_only, "rank", rank, raising=False)
        with (
            pytest.raises(InputError, match="another program has just written to"),
            exclusive(run, written_since),
        ):
            raise AssertionError("the folder is not locked")
