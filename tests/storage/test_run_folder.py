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


def test_numbers_go_on_after_the_largest() -> None:
    assert str(RunFolder.create_next("gan-digits")) == "runs/gan-digits-1"
    Path("runs/gan-digits-7").mkdir()
    Path("runs/gan-digits-more-9").mkdir()
    assert str(RunFolder.create_next("gan-digits")) == "runs/gan-digits-8"


def test_newest_is_the_run_that_saved_last() -> None:
    digits = saved(RunFolder.create_next("gan-digits"), 2000)
    fashion = saved(RunFolder.create_next("gan-fashionmnist"), 1000)
    RunFolder.create_next("gan-digits")  # has not saved yet
    assert RunFolder.newest().path == digits.path
    assert RunFolder.newest("gan-fashionmnist").path == fashion.path
    with pytest.raises(InputError, match="no run in runs/"):
        RunFolder.newest("gan-mnist")


def test_folder_that_holds_something_is_refused() -> None:
    Path("mine").mkdir()
    RunFolder.create(Path("mine"))
    Path("mine/notes").write_text("")
    with pytest.raises(InputError, match="mine has a run already"):
        RunFolder.create(Path("mine"))


def test_folder_that_cannot_be_made_is_explained() -> None:
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


def test_folder_without_a_run_is_taken() -> None:
    Path("mine").mkdir()
    Path("mine/events.out.tfevents.1.host").touch()
    Path("mine/config.yaml.tmp").touch()  # killed while it began
    Path("mine/.lock").touch()
    assert RunFolder.create(Path("mine")).path == Path("mine")


LOCK = """
import sys, pathlib
from fractalgan.storage import RunFolder
with RunFolder(pathlib.Path(sys.argv[1])).locked(): pass
"""


def test_one_program_at_a_time_may_write() -> None:
    folder = RunFolder.create_next("gan-digits")
    with folder.locked():
        done = subprocess.run([sys.executable, "-c", LOCK, str(folder)], capture_output=True, text=True)
        assert "InputError: another program is writing to runs/gan-digits-1" in done.stderr
    done = subprocess.run([sys.executable, "-c", LOCK, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with folder.locked():
        pass
    assert folder.is_empty()
