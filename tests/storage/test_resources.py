"""Configurations and learned fractals that ship with the package."""

import tomllib
from pathlib import Path

import pytest

import fractalgan
from fractalgan import FractalGenerator
from fractalgan.storage import find_config, read_config, shipped_fractals
from fractalgan.storage.resources import CONFIGS, FRACTALS

PACKAGE = Path(fractalgan.__file__).parent


def test_resources_are_inside_the_package_and_part_of_a_wheel() -> None:
    assert {CONFIGS.parent, FRACTALS.parent} == {PACKAGE}
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["fractalgan"]
    packed = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    assert packed >= {*CONFIGS.glob("*.yaml"), *FRACTALS.glob("*.safetensors"), PACKAGE / "py.typed"}


def test_config_is_found_by_bare_name_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("gan_folder.yaml") == CONFIGS / "gan_folder.yaml"
    assert find_config("sub/gan_folder.yaml") == Path("sub/gan_folder.yaml")
    assert find_config("unknown.yaml") == Path("unknown.yaml")
    Path("gan_folder.yaml").write_text("seed_everything: 7")
    assert find_config("gan_folder.yaml") == Path("gan_folder.yaml")


def test_shipped_config_is_read() -> None:
    assert read_config("probe.yaml")["model"]["class_path"] == "fractalgan.LinearProbe"


def test_shipped_fractals_have_names() -> None:
    names = ["digits", "digits-labeled", "fashion-mnist", "fashion-mnist-labeled", "mnist-labeled"]
    assert shipped_fractals() == names


@pytest.mark.parametrize("name", [each for each in shipped_fractals() if each.endswith("-labeled")])
def test_shipped_fractals_with_labels_have_equally_many_of_each_class(name: str) -> None:
    labels = FractalGenerator.from_pretrained(name).embedding.labels
    assert labels is not None
    assert len(set(labels.bincount().tolist())) == 1
    assert len(labels.bincount()) == 10
