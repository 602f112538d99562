"""The folder of a run: its number, its lock, and whether it is used already."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fractalgan.errors import InputError
from fractalgan.storage import RunFolder


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def saved(folder: RunFolder, time: float) -> RunFolder:
    folder.checkpoints.mkdir()
    folder.last.touch()
    os.utime(folder.last, (time, time))
    return folder


def test_next_number_is_above_the_largest() -> None:
    assert str(RunFolder.create_next("gan-digits")) == "runs/gan-digits-1"
    Path("runs/gan-digits-7").mkdir()
    Path("runs/gan-digits-more-9").mkdir()
    assert str(RunFolder.create_next("gan-digits")) == "runs/gan-digits-8"


def test_newest_is_the_run_that_saved_last() -> None:
    digits = saved(RunFolder.create_next("gan-digits"), 2000)
    fashion = saved(RunFolder.create_next("gan-fashionmnist"), 1000)
    RunFolder.create_next("gan-digits")  # has not saved yet
    fashion.last.rename(fashion.best)  # any checkpoint counts
    assert RunFolder.newest().path == digits.path
    assert RunFolder.newest("gan-fashionmnist").path == fashion.path
    with pytest.raises(InputError, match="no run in runs/"):
        RunFolder.newest("gan-mnist")


def test_folder_with_content_is_refused() -> None:
    Path("mine").mkdir()
    RunFolder.create(Path("mine"))
    Path("mine/notes").write_text("")
    with pytest.raises(InputError, match=r"^mine is not empty: set another --run$"):
        RunFolder.create(Path("mine"))


def test_missing_checkpoint_is_explained() -> None:
    with pytest.raises(InputError, match="run folder mine does not exist"):
        RunFolder(Path("mine")).checkpoint("last")
    folder = RunFolder.create(Path("mine"))
    with pytest.raises(InputError, match="mine has no checkpoints: set another --run"):
        folder.checkpoint("best")
    saved(folder, 1000)
    with pytest.raises(
        InputError, match=r"no best\.ckpt yet: set --ckpt_path to last, or to a file in mine/"
    ):
        folder.checkpoint("best")
    folder.last.rename(folder.periodic(1000))
    assert folder.checkpoint("last") == folder.last  # another one takes its place


def test_only_a_new_folder_is_discarded() -> None:
    Path("empty").mkdir()
    Path("events").mkdir()
    Path("events/events.out.tfevents.1.host").touch()
    folders = [RunFolder.create(Path(name)) for name in ("empty", "events", "new")]
    folders.append(RunFolder.create_next("gan-digits"))
    for folder in folders:
        RunFolder(folder.path).discard_if_empty()  # as another rank knows it
        assert folder.path.exists()
        folder.discard_if_empty()
    assert [folder.path.exists() for folder in folders] == [True, True, False, False]


def test_folder_that_cannot_be_created_is_explained() -> None:
    Path("file").write_text("")
    with pytest.raises(InputError, match="cannot create the run folder file/run"):
        RunFolder.create(Path("file/run"))


def test_run_of_a_checkpoint() -> None:
    path = Path("runs/a-1/checkpoints/best.ckpt")
    assert RunFolder.of_checkpoint(path) is None  # any folder may be called checkpoints
    Path("runs/a-1").mkdir(parents=True)
    Path("runs/a-1/config.yaml").touch()
    folder = RunFolder.of_checkpoint(path)
    assert folder is not None
    assert folder.path == Path("runs/a-1")
    assert RunFolder.of_checkpoint(Path("downloads/best.ckpt")) is None


def test_folder_without_a_run_is_used() -> None:
    Path("mine").mkdir()
    Path("mine/events.out.tfevents.1.host").touch()
    Path("mine/config.yaml.tmp").touch()  # of a run that was killed at its start
    Path("mine/.lock").touch()
    assert RunFolder.create(Path("mine")).path == Path("mine")


# Tries to lock a folder once per line of input, and prints the outcome.
LOCK = """
import sys, pathlib
from fractalgan.storage import RunFolder
for _ in sys.stdin:
    try:
        with RunFolder(pathlib.Path(sys.argv[1])).locked():
            pass
        print("locked and released", flush=True)
    except ValueError as error:
        print(error, flush=True)
"""


def test_one_program_at_a_time_may_write() -> None:
    folder = RunFolder.create_next("gan-digits")
    command = [sys.executable, "-c", LOCK, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def lock_there() -> str:
            other.stdin.write("\n")
            other.stdin.flush()
            return other.stdout.readline()

        with folder.locked():
            assert lock_there().startswith("another program is writing to runs/gan-digits-1")
        assert lock_there() == "locked and released\n"
        with folder.locked():
            pass
        other.stdin.close()
    assert folder.is_empty()
