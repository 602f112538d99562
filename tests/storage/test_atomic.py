"""A file is complete or absent."""

import os
from pathlib import Path

import pytest

from fractalgan.storage import atomic_path, atomic_write


def test_writes_text_and_bytes_and_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "name.json"
    atomic_write(path, "größer")
    assert path.read_text(encoding="utf-8") == "größer"
    atomic_write(path, b"\0\1")
    assert path.read_bytes() == b"\0\1"
    assert os.listdir(path.parent) == ["name.json"]


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_failure_keeps_the_previous_content(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "name.json"
    path.write_text("before")

    def write() -> None:
        with atomic_path(path) as beside:
            beside.write_text("incomplete")
            assert path.read_text() == "before"
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["name.json"]


def test_file_is_flushed_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, done = tmp_path / "name.json", []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: done.append(("flushed", path.exists())) or fsync(file))
    monkeypatch.setattr(
        os, "replace", lambda *paths: done.append(("moved", path.exists())) or replace(*paths)
    )
    atomic_write(path, "all")
    assert done == [("flushed", False), ("moved", False), ("flushed", True)]  # and then the folder
    assert path.read_text() == "all"
