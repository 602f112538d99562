"""What ships with the project is found in a clone and in an installation."""

import importlib.util
import sys
from pathlib import Path

import pytest

from fractalgan import shipped


def test_a_clone_has_its_own() -> None:
    assert (shipped.shipped("configs") / "gan_digits.yaml").is_file()


def test_an_installation_has_them_under_its_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lib/fractalgan"
    package.mkdir(parents=True)
    copy = package / "shipped.py"
    copy.write_text(Path(shipped.__file__).read_text())
    spec = importlib.util.spec_from_file_location("installed", copy)
    assert spec is not None
    assert spec.loader is not None
    installed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(installed)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert installed.shipped("configs") == tmp_path / "share/fractalgan/configs"
