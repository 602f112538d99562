"""What ships with the project is found in a clone and in an installation."""

import importlib.util
import sysconfig
import tomllib
from pathlib import Path

import pytest

from fractalgan import shipped

ROOT = Path(__file__).parents[1]
INSTALLED = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]


@pytest.mark.parametrize(
    ("folder", "name"), [("configs", "gan_digits.yaml"), ("checkpoints", "digits.safetensors")]
)
def test_they_lie_where_a_clone_and_an_installation_have_them(
    folder: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shipped.shipped(folder) == ROOT / folder
    (pattern,) = INSTALLED[f"share/fractalgan/{folder}"]
    assert ROOT / folder / name in ROOT.glob(pattern)

    package, data = tmp_path / "lib/fractalgan", tmp_path / "share/fractalgan"
    package.mkdir(parents=True)
    (tmp_path / "lib" / folder).mkdir()  # somebody else's
    data.mkdir(parents=True)
    copy = package / "shipped.py"
    copy.write_text(Path(shipped.__file__).read_text())
    spec = importlib.util.spec_from_file_location("installed", copy)
    assert spec is not None
    assert spec.loader is not None
    installed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(installed)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    assert installed.shipped(folder) == data / folder
