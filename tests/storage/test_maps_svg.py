"""Drawings of the maps."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from fractalgan import FractalGenerator
from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding
from fractalgan.ops import Features, Transforms, anderson_farrell
from fractalgan.storage import FractalFile, write_fractals
from fractalgan.storage.fractal_content import MATRICES, RAW_SETTINGS

SVG = "{http://www.w3.org/2000/svg}"


def points(element: ElementTree.Element) -> list[list[float]]:
    return [list(map(float, each.split(","))) for each in (element.get("points") or "").split()]


def test_parallelograms_are_the_images_of_the_window(tmp_path: Path) -> None:
    A = torch.tensor([[[[0.5, -0.25], [0.125, 0.75]]]])
    b = torch.tensor([[[0.5, -1.0]]])
    path = tmp_path / "one.svg"
    FractalGenerator(FractalEmbedding(Transforms(A, b), "raw"), window=2.0).save(path)
    (cell,) = ElementTree.parse(path).getroot()
    _, outline = cell.findall(f"{SVG}rect")
    assert [outline.get(key) for key in ("x", "y", "width", "height")] == ["50", "50", "100", "100"]
    (polygon,), (line,) = cell.findall(f"{SVG}polygon"), cell.findall(f"{SVG}polyline")
    scale = 100 / 4  # units per unit of the plane, whose origin is in the middle of 200 x 200
    corners = [(-2, -2), (-2, 2), (2, 2), (2, -2)]
    expected = []
    for v in corners:
        row, column = (A[0, 0] @ torch.tensor(v).float() + b[0, 0]).tolist()
        expected.append(pytest.approx([100 + scale * column, 100 + scale * row], abs=1e-3))
    assert points(polygon) == expected
    assert points(line)[0] == points(polygon)[0]
    half = [(one + other) / 2 for one, other in zip(points(polygon)[0], points(polygon)[3], strict=True)]
    assert points(line)[1] == pytest.approx(half)


def test_all_fractals_are_drawn_with_their_names_and_colors(tmp_path: Path) -> None:
    transforms = anderson_farrell(12, 3)
    features = Features(torch.zeros(12, 3, 3), torch.zeros(12, 3), torch.ones(12, 3))
    features.values[:, 1, 0] = 1
    path = tmp_path / "many.svg"
    generator = FractalGenerator(FractalEmbedding(transforms, features=features))
    generator.save(path, {"names": [f"<{k}> & co" for k in range(12)]})
    root = ElementTree.parse(path).getroot()
    assert (root.get("width"), root.get("height")) == ("2000", "400")
    cells = list(root)
    assert [cell.findtext(f"{SVG}title") for cell in cells] == [f"<{k}> & co" for k in range(12)]
    assert (cells[11].get("x"), cells[11].get("y")) == ("200", "200")
    for cell in cells:
        assert [each.get("fill") for each in cell.findall(f"{SVG}polygon")] == [
            "#000000",
            "#FF0000",
            "#000000",
        ]
        assert cell.findall(f"{SVG}rect")[0].get("fill") == "#FFFFFF"


def test_transforms_without_colors_have_different_ones(tmp_path: Path) -> None:
    path = tmp_path / "plain.svg"
    FractalGenerator(FractalEmbedding(anderson_farrell(1, 10))).save(path)
    fills = [each.get("fill") for each in ElementTree.parse(path).getroot().iter(f"{SVG}polygon")]
    assert len(set(fills)) == 10


def test_drawing_cannot_be_read_and_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "plain.svg"
    FractalGenerator(FractalEmbedding(anderson_farrell(1, 2))).save(path)
    with pytest.raises(InputError, match=r"plain\.svg is a drawing, not fractals"):
        FractalGenerator.from_pretrained(path)
    parameters = {MATRICES: torch.zeros(1000, 101, 2, 2), "b": torch.zeros(1000, 101, 2)}
    with pytest.raises(InputError, match="would have more than 100000 transforms: choose some"):
        write_fractals(tmp_path / "large.svg", FractalFile(parameters, RAW_SETTINGS, {}))
