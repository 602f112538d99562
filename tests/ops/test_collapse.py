import pytest
import torch
from torch import Tensor

from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import anderson_farrell, collapse

SIZE = (32, 32)


def kinds(points: Tensor) -> list[str]:
    result = collapse(points, SIZE)
    return [name for name in result._fields if getattr(result, name)[0]]


def line(angle: float) -> Tensor:
    along = torch.linspace(-14, 14, 300)
    direction = torch.tensor([angle]).cos(), torch.tensor([angle]).sin()
    return torch.stack([16 + along * direction[0], 16 + along * direction[1]], -1).unsqueeze(0)


def test_dot() -> None:
    assert kinds(16 + 0.3 * torch.randn(1, 300, 2)) == ["dot"]


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.57, 2.5])
def test_line(angle: float) -> None:
    assert kinds(line(angle) + 0.1 * torch.randn(1, 300, 2)) == ["line"]


def test_outside() -> None:
    assert kinds(torch.full((1, 300, 2), 60.0)) == ["outside"]
    assert kinds(torch.full((1, 300, 2), float("nan"))) == ["outside"]


@pytest.mark.parametrize("shape", ["square", "ring", "two dots", "corner"])
def test_shape_has_not_collapsed(shape: str) -> None:
    angle = torch.linspace(0, 6.28, 300)
    points = {
        "square": torch.rand(300, 2) * 20 + 5,
        "ring": 16 + 10 * torch.stack([angle.cos(), angle.sin()], -1),
        "two dots": torch.cat([torch.rand(150, 2) * 4 + 4, torch.rand(150, 2) * 4 + 20]),
        "corner": torch.cat([line(0.0)[0], line(1.57)[0]])[::2],
    }[shape]
    assert kinds(points.unsqueeze(0)) == []


@pytest.mark.parametrize("collapsed", ["dot", "line"])
def test_outliers_do_not_hide_a_collapse(collapsed: str) -> None:
    points = line(0.7) if collapsed == "line" else 16 + 0.1 * torch.randn(1, 300, 2)
    points = points.clone()
    points[:, :9] = torch.rand(9, 2) * 31
    assert kinds(points) == [collapsed]


def test_random_fractals_rarely_collapse() -> None:
    generator = FractalGenerator(
        FractalEmbedding(anderson_farrell(100, 10, torch.Generator().manual_seed(0)))
    )
    fractals = torch.arange(100)
    points = generator.points(fractals, generator.draw_sequences(fractals))
    assert collapse(points, SIZE).any.sum() <= 2
