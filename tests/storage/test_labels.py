"""Labels of fractals: kept by every file that holds them, and refused where they do not fit."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fractalgan import FractalEmbedding, FractalGenerator, Labels, anderson_farrell
from fractalgan.errors import InputError
from fractalgan.storage import read_fractals
from fractalgan.storage.labels import require_trainable

CLASSES = ("cat", "dog <b>")
HALF = {"A": [[[0.5, 0.0], [0.0, 0.5]]], "b": [[0.0, 0.0]]}


def labeled(*values: int, classes: tuple[str, ...] = CLASSES) -> FractalGenerator:
    transforms = anderson_farrell(len(values), 3, torch.Generator().manual_seed(0))
    labels = Labels(torch.tensor(values), classes)
    return FractalGenerator(FractalEmbedding(transforms, "raw", labels=labels))


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_labels_survive_a_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"fractals{suffix}"
    labeled(1, 0, 1).save(path)
    content = read_fractals(path)
    read = FractalGenerator.from_pretrained(path).embedding
    assert read.labels is not None
    assert (read.labels.tolist(), read.classes) == ([1, 0, 1], CLASSES)
    labels = content.select([2, 1]).labels()
    assert labels is not None
    assert (labels.values.tolist(), labels.classes) == ([1, 0], CLASSES)
    assert "labels" not in content.provenance


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_fractals_without_labels_stay_without(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"fractals{suffix}"
    generator = labeled(1, 0, 1)
    generator.embedding.label_(None)
    generator.save(path)
    assert read_fractals(path).labels() is None
    assert "labels" not in generator.embedding.state_dict()


def test_network_needs_two_classes_with_fractals(logs: pytest.LogCaptureFixture) -> None:
    require_trainable(torch.tensor([0, 1]), CLASSES, "pets")
    assert not logs.messages
    require_trainable(torch.tensor([0, 0, 2]), (*CLASSES, "cow"), "pets")
    assert "no fractals of pets have the classes 1 (dog <b>)" in logs.text
    with pytest.raises(InputError, match="the fractals of pets have one class, and a classifier needs two"):
        require_trainable(torch.tensor([0]), CLASSES[:1], "pets")
    with pytest.raises(InputError, match="the fractals of pets have no labels"):
        require_trainable(None, (), "pets")


def test_numbers_in_place_of_names_are_limited(tmp_path: Path) -> None:
    (tmp_path / "many.json").write_text(json.dumps({"targets": [HALF | {"label": 30_000_000}]}))
    with pytest.raises(InputError, match="label must be < 100000 without a list of classes, got 30000000"):
        read_fractals(tmp_path / "many.json")


@pytest.mark.parametrize("suffix", [".flame", ".ifs"])
def test_other_programs_have_no_labels(suffix: str, tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    labeled(1, 0).save(tmp_path / f"fractals{suffix}")
    assert "the format has no place for labels" in logs.text


def test_handwritten_labels_need_no_names(tmp_path: Path) -> None:
    path = tmp_path / "fractals.json"
    path.write_text(json.dumps({"targets": [HALF | {"label": 2}, HALF | {"label": 0}]}))
    labels = read_fractals(path).labels()
    assert labels is not None
    assert (labels.values.tolist(), labels.classes) == ([2, 0], ("0", "1", "2"))


@pytest.mark.parametrize(
    ("targets", "classes", "message"),
    [
        ([HALF | {"label": 0}, HALF], [], "label of every target must be the index of a class"),
        ([HALF | {"label": -1}], [], "label of every target must be the index of a class"),
        ([HALF | {"label": True}], [], "label of every target must be the index of a class"),
        ([HALF | {"label": 1e9}], [], "label of every target must be the index of a class"),
        ([HALF | {"label": 2}], ["a", "b"], "labels must be in 0 to 1"),
        ([HALF | {"label": 0}], ["a", 1], "classes must be a list of names"),
        ([HALF | {"label": 0}], "ab", "the setting classes is 'ab'"),
        ([HALF], ["a"], "classes are named, but no fractal has a label"),
    ],
)
def test_labels_that_do_not_fit_are_refused(targets: Any, classes: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "fractals.json"
    path.write_text(json.dumps({"targets": targets, "classes": classes}))
    with pytest.raises(InputError, match=message):
        read_fractals(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [([0], "of the shape"), ([0, 1, 2], "in 0 to 1"), ([0.0, 1.0, 0.0], "must be integers")],
)
def test_an_embedding_checks_its_labels(values: list[float], message: str) -> None:
    embedding = labeled(1, 0, 1).embedding
    with pytest.raises(ValueError, match=message):
        embedding.label_(Labels(torch.tensor(values), CLASSES))
