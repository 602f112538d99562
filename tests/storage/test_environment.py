"""A record of every start of a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fractalgan.storage import environment, record_start


def test_every_start_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "environment.json"
    record_start(path, step=0, seed_everything=3)
    record_start(path, step=7)
    first, second = json.loads(path.read_text())
    assert (first["step"], first["seed_everything"], second["step"]) == (0, 3, 7)
    assert first["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert first["threads"]["torch"] == torch.get_num_threads()
    assert first["folder"] == str(Path.cwd())


@pytest.mark.parametrize("damage", ["[{", "{}", "\0"])
def test_damaged_record_is_replaced(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "environment.json"
    path.write_text(damage)
    record_start(path, step=7)
    assert [start["step"] for start in json.loads(path.read_text())] == [7]


def test_command_can_be_pasted_into_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, pathlib, fractalgan.storage.environment as e; e.record_start(pathlib.Path(sys.argv[1]))"
    )
    path = tmp_path / "with a space.json"
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", code, str(path)])
    record_start(path)
    (start,) = json.loads(path.read_text())
    path.unlink()
    subprocess.run(start["command"], shell=True, check=True, cwd=tmp_path)
    assert json.loads(path.read_text())[0]["command"] == start["command"]


def test_commit_is_that_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    code = tmp_path / "environment.py"
    code.write_text("1")
    monkeypatch.setattr(environment, "__file__", str(code))
    assert environment._commit() is None
    git("init")
    (tmp_path / "other").write_text("")
    git("add", "other")
    git("commit", "-m", "somebody else's")
    assert environment._commit() is None  # the code is in its folder, but not part of it
    git("add", ".")
    git("commit", "-m", "ours")
    assert environment._commit() == git("rev-parse", "HEAD")
    code.write_text("2")
    assert environment._commit() == git("rev-parse", "HEAD") + "-changed"
