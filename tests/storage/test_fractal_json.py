"""Fractals as JSON, written by Reconstruction or by hand."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import Features, Transforms, anderson_farrell
from fractalgan.storage import FractalFile, read_fractals, write_fractals
from fractalgan.storage.fractal_content import MATRICES, RAW_SETTINGS

HALF = [[0.5, 0.0], [0.0, 0.5]]
TRIANGLE = {"A": [HALF, HALF, HALF], "b": [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]}


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_handwritten_fractal_is_drawn(tmp_path: Path) -> None:
    path = written(tmp_path / "triangle.json", {"targets": [TRIANGLE], "window": 1.5, "author": "S."})
    drawn = FractalGenerator.from_pretrained(path)
    assert (drawn.window, drawn.num_points, drawn.size) == (1.5, 300, (32, 32))
    assert drawn.embedding().A.equal(torch.tensor([TRIANGLE["A"]]))
    assert drawn.embedding().b.equal(torch.tensor([TRIANGLE["b"]]))
    assert read_fractals(path).provenance == {"author": "S."}
    again = tmp_path / "again.safetensors"
    drawn.save(again)
    assert FractalGenerator.from_pretrained(again).embedding().A.equal(drawn.embedding().A)


def test_handwritten_colors_are_drawn(tmp_path: Path) -> None:
    colored = TRIANGLE | {"features": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "background": [1, 1, 1]}
    drawn = FractalGenerator.from_pretrained(written(tmp_path / "a.json", {"targets": [colored]}))
    (image,) = drawn.draw(0, size=64)
    assert image[:, 0, 0].tolist() == [1, 1, 1]
    # the first coordinate, of the second transform, runs along the rows
    corners = image[:, 33, 33], image[:, 44, 33], image[:, 33, 44]
    assert [each.argmax().item() for each in corners] == [0, 1, 2]
    assert drawn.embedding.features().blend.tolist() == [[0, 0, 0]]


def test_null_is_read_as_nan(tmp_path: Path) -> None:
    lost = {"A": TRIANGLE["A"], "b": [[None, 0.0], [0.5, 0.0], [0.0, 0.5]]}
    drawn = FractalGenerator.from_pretrained(written(tmp_path / "lost.json", {"targets": [lost, TRIANGLE]}))
    images = drawn.draw(torch.tensor([0, 1]))
    assert images[0].isfinite().all()
    assert images[1].sum() > 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "damaged or not a JSON file"),
        ("[" * 100_000, "damaged or not a JSON file"),
        ("[1, 2]", "has no fractals"),
        ({"targets": []}, "has no fractals"),
        ({"targets": 7}, "has no fractals"),
        ({"targets": [7]}, "has no fractals"),
        ({"targets": [{"A": [HALF]}]}, "b of every target must be a list of numbers"),
        ({"targets": [{"A": [HALF], "b": []}]}, "b of every target must have the shape transforms x 2"),
        ({"targets": [{"A": [HALF], "b": [[0, 0, 0]]}]}, "b of every target must have the shape"),
        ({"targets": [{"A": HALF, "b": [[0, 0]]}]}, "must have the shape transforms x 2 x 2"),
        ({"targets": [{"A": [HALF, HALF], "b": [[0, 0]]}]}, "A has 2 transforms, but b has 1"),
        ({"targets": [TRIANGLE, {"A": [HALF], "b": [[0, 0]]}]}, "of the same shape"),
        ({"targets": [{"A": [HALF], "b": [["0", 0]]}]}, "'0' is not a number"),
        ({"targets": [{"A": [HALF], "b": [[10**400, 0]]}]}, "must be a list of numbers"),
        ({"targets": [TRIANGLE | {"features": [1, 1, 1]}]}, "must have the shape transforms x channels"),
        ({"targets": [TRIANGLE | {"features": [[1, 1]] * 3}]}, "1 or 3"),
        ({"targets": [TRIANGLE | {"features": [[1]] * 2}]}, "features must have 3 entries per target, got 2"),
        ({"targets": [TRIANGLE | {"features": [[1]] * 3, "background": [1, 1]}]}, "must have 1 entries"),
        ({"targets": [TRIANGLE | {"features": [[1]] * 3, "blend": [0]}]}, "blend must have 3 entries"),
        ({"targets": [TRIANGLE | {"background": [1, 1, 1]}]}, "background needs features"),
        ({"targets": [TRIANGLE | {"features": [[1]] * 3, "background": 1}]}, "must have the shape channels"),
        ({"targets": [TRIANGLE | {"features": [[2]] * 3}]}, "features.values must be in [0, 1]"),
        ({"targets": [TRIANGLE | {"features": [[None]] * 3}]}, "features.values must be in [0, 1]"),
        ({"targets": [TRIANGLE | {"features": [[1]] * 3}, TRIANGLE]}, "features of every target must be"),
        ({"targets": [TRIANGLE], "num_points": 10**9}, "num_points must be <= 500000"),
        ({"targets": [TRIANGLE], "image_size": 10**9}, "image_size must be <= 1024"),
        ({"targets": [TRIANGLE], "image_size": "32"}, "image_size is '32'"),
        ({"targets": [TRIANGLE], "tau": -1}, "tau must be in"),
        ({"targets": [TRIANGLE | {"relative_tau": -1}]}, "tau must be in"),
        (
            {"targets": [TRIANGLE | {"relative_tau": [1]}]},
            "relative_tau of every target must have the shape 1",
        ),
        ({"targets": [TRIANGLE | {"relative_tau": None}]}, "tau must be in"),
        ({"targets": [TRIANGLE], "matrices": "foo"}, "do not match its settings"),
        ({"targets": [TRIANGLE], "probabilities": "foo"}, "probabilities must be one of determinant"),
    ],
)
def test_json_with_other_content_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = written(tmp_path / "bad.json", content)
    with pytest.raises(InputError) as caught:
        FractalGenerator.from_pretrained(path)
    assert message in str(caught.value)
    assert "bad.json" in str(caught.value)


@pytest.mark.parametrize("name", ["digits", "fashion-mnist"])
def test_learned_fractals_are_read_back_with_all_that_draws_them(name: str, tmp_path: Path) -> None:
    written, path = FractalGenerator.from_pretrained(name), tmp_path / "learned.json"
    provenance = read_fractals(name).provenance
    written.save(path, provenance)
    read = FractalGenerator.from_pretrained(path)
    fractals = torch.arange(100)
    drawn = [each.draw(fractals, torch.Generator().manual_seed(1)) for each in (written, read)]
    assert drawn[0].equal(drawn[1])
    assert read_fractals(path).provenance == provenance
    again = tmp_path / "again.json"
    read.save(again, provenance)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("number", [1, 3])
def test_colors_names_and_settings_are_read_back(number: int, tmp_path: Path) -> None:
    features = Features(torch.rand(5, 3, number), torch.rand(5, 3), torch.rand(5, number))
    embedding = FractalEmbedding(anderson_farrell(5, 3), features=features)
    options = {
        "image_size": 24,
        "num_points": 50,
        "window": 1.7,
        "tau": 0.7,
        "jitter": 0.2,
        "sequences": "even",
    }
    written = FractalGenerator(embedding, probabilities="area", **options)
    written.save(tmp_path / "a.json", {"names": list("abcde"), "seed": 1, "loss": math.nan}, fractals=[4, 0])
    read = FractalGenerator.from_pretrained(tmp_path / "a.json")
    assert {name: getattr(read, name) for name in options} == options
    assert read.probabilities == "area"
    for one, other in zip(read.embedding.fractals().tensors, embedding.fractals().tensors, strict=True):
        assert one.equal(other[[4, 0]])
    assert read_fractals(tmp_path / "a.json").provenance == {
        "names": ["e", "a"], "fractals": [4, 0], "seed": 1, "loss": None
    }  # fmt: skip


def test_nan_is_written_as_null(tmp_path: Path) -> None:
    A, b = anderson_farrell(2, 3)
    b[0, 0, 0] = torch.nan
    FractalGenerator(FractalEmbedding(Transforms(A, b), "raw")).save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["targets"][0]["b"][0][0] is None
    assert FractalGenerator.from_pretrained(tmp_path / "a.json").embedding().b.isnan().sum() == 1


def test_more_than_is_read_back_is_not_written(tmp_path: Path) -> None:
    parameters = {MATRICES: torch.zeros(1000, 400, 2, 2), "b": torch.zeros(1000, 400, 2)}
    with pytest.raises(InputError, match="would be larger than is read back: choose some of the fractals"):
        write_fractals(tmp_path / "a.json", FractalFile(parameters, RAW_SETTINGS, {}))


def test_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(10**12)  # a sparse file
    with pytest.raises(InputError, match="has more than 20000000 bytes"):
        read_fractals(path)


def test_too_many_lists_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text('{"targets": [' + "[]," * 1_000_000 + "[]]}")  # 3 MB, but 300 MB as lists of Python
    with pytest.raises(InputError, match="has more than 1000000 lists"):
        FractalGenerator.from_pretrained(path)


def test_examples_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "fractal_files.md").read_text()
    examples = [part.partition("```")[0] for part in guide.split("```json\n")[1:]]
    plain, colored, labeled = (
        FractalGenerator.from_pretrained(written(tmp_path / f"{k}.json", each))
        for k, each in enumerate(examples)
    )
    assert len(plain.embedding) == 2
    assert plain.window == 1.5
    assert plain.embedding().b[1, 2].tolist() == [0, pytest.approx(0.6)]
    assert colored.draw(0).shape == (1, 3, 32, 32)
    assert colored.embedding.features().background.tolist() == [[1, 1, 1]]
    assert labeled.embedding.labels is not None
    assert (labeled.embedding.labels.tolist(), labeled.embedding.classes) == ([1, 0], ("cat", "dog"))
