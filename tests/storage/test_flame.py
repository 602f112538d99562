"""Fractals as .flame files: what is written, and what is read back."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fractalgan import FractalGenerator
from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding, ProbabilityRule
from fractalgan.ops import Features, Transforms, anderson_farrell, fractaldb
from fractalgan.storage import read_fractals

WHITE = "FFFFFF" * 256


def generator(transforms: Transforms, features: Features | None = None, **options: Any) -> FractalGenerator:
    return FractalGenerator(FractalEmbedding(transforms, "raw", features=features), **options)


def features_of(b: Tensor, number: int, blend: float) -> Features:
    count, transforms = b.shape[:2]
    return Features(
        torch.rand(count, transforms, number),
        torch.full((count, transforms), blend),
        torch.rand(count, number),
    )


def flames(path: Path) -> list[ElementTree.Element]:
    return ElementTree.parse(path).getroot().findall("flame")


def read_back(written: FractalGenerator, path: Path) -> FractalGenerator:
    written.save(path)
    return FractalGenerator.from_pretrained(path)


@pytest.mark.parametrize("suffix", [".flame", ".flam3", ".FLAME"])
@pytest.mark.parametrize("procedure", [anderson_farrell, fractaldb])
def test_random_fractals_are_read_back(procedure: Any, suffix: str, tmp_path: Path) -> None:
    written = generator(procedure(100, 10), window=1.7)
    read = read_back(written, tmp_path / f"random{suffix}")
    for one, other in zip(read.embedding(), written.embedding(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    assert read.window == 1.7
    assert read.channels == 1
    assert read.embedding.features.num_features == 0


@pytest.mark.parametrize("name", ["digits", "fashion-mnist"])
def test_learned_fractals_are_read_back(name: str, tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    written = FractalGenerator.from_pretrained(name)
    read = read_back(written, tmp_path / "learned.flame")
    for one, other in zip(read.embedding(), written.embedding(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    assert (read.window, read.probabilities) == (written.window, written.probabilities)
    assert "no place for jitter (0.05); the width of each fractal's points (relative_tau)" in logs.text


@pytest.mark.parametrize("blend", [0.0, 0.3])
def test_gray_levels_are_read_back_with_all_digits(blend: float, tmp_path: Path) -> None:
    transforms = anderson_farrell(20, 10)
    written = generator(transforms, features_of(transforms.b, 1, blend))
    read = read_back(written, tmp_path / "gray.flame")
    for one, other in zip(read.embedding.features(), written.embedding.features(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_colors_are_read_back_to_eight_bits(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    transforms = anderson_farrell(100, 10)
    written = generator(transforms, features_of(transforms.b, 3, 0.3))
    read = read_back(written, tmp_path / "colored.flame")
    found, given = read.embedding.features(), written.embedding.features()
    torch.testing.assert_close(found.values, (given.values * 255).round() / 255, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.blend, given.blend, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.background, given.background, rtol=0, atol=1e-6)
    assert read.embedding().A.equal(written.embedding().A)
    assert (
        "blended colors of fractal 0, fractal 1, fractal 2 and 97 more follow the palette there" in logs.text
    )
    assert "colors are blended directly, not along the palette, of fractal 0" in logs.text


def test_two_colors_are_blended_the_same_way(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    transforms = anderson_farrell(1, 2)
    values = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    read_back(
        generator(transforms, Features(values, torch.full((1, 2), 0.5), torch.zeros(1, 3))),
        tmp_path / "two.flame",
    )
    assert not logs.text


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=256))
def test_every_list_of_256_colors_has_a_palette(colors: list[tuple[int, int, int]]) -> None:
    from fractalgan.storage.flame_palette import color_palette, looked_up

    values = torch.tensor(colors) / 255
    palette, coordinates = color_palette(values)
    assert palette.shape == (256, 3)
    assert coordinates.max() < 1
    for linear in (True, False):
        assert looked_up(palette, coordinates, linear).round().long().tolist() == [
            list(each) for each in colors
        ]


def test_more_than_256_colors_get_near_ones(tmp_path: Path) -> None:
    gray = torch.arange(300) / 299
    values = torch.stack([gray, gray, torch.zeros(300)], -1).unsqueeze(0) * torch.tensor([1.0, 0.7, 0.0])
    transforms = anderson_farrell(1, 300)
    features = Features(values, torch.zeros(1, 300), torch.zeros(1, 3))
    read = read_back(generator(transforms, features), tmp_path / "many.flame")
    assert (read.embedding.features().values - values).abs().max() < 0.01


@pytest.mark.parametrize("rule", ["determinant", "area", "uniform"])
def test_weights_are_the_probabilities_and_set_the_rule(
    rule: ProbabilityRule, tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    A, b = anderson_farrell(10, 10)
    A[:, 0, 0] = 0  # a line, which the rules tell apart
    written = generator(Transforms(A, b), probabilities=rule)
    read = read_back(written, tmp_path / "rules.flame")
    assert read.probabilities == rule
    assert not logs.text
    weights = [
        [float(each.get("weight", "")) for each in flame.findall("xform")]
        for flame in flames(tmp_path / "rules.flame")
    ]
    torch.testing.assert_close(torch.tensor(weights), written.transform_probabilities(A))


def test_structure_is_that_of_flam3(tmp_path: Path) -> None:
    A = torch.tensor([[[[0.5, -0.25], [0.125, 0.75]], [[0.25, 0.0], [0.0, 0.25]]]])
    b = torch.tensor([[[0.375, -1.5], [0.0, 2.0]]])
    values = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    features = Features(values, torch.tensor([[0.0, 0.25]]), torch.tensor([[0.5, 0.25, 1.0]]))
    path = tmp_path / "one.flame"
    generator(Transforms(A, b), features, window=2.0, probabilities="uniform").save(path)
    root = ElementTree.parse(path).getroot()
    assert (root.tag, root.get("name")) == ("flames", "one")
    (flame,) = root
    assert flame.tag == "flame"
    assert flame.get("name") == "fractal 0"
    assert (flame.get("version") or "").startswith("fractalgan-")
    assert flame.get("size") == "1024 1024"
    assert flame.get("center") == "0 0"
    assert flame.get("scale") == "255.75"
    assert flame.get("background") == "0.5 0.25 1"
    assert flame.get("palette_mode") == "linear"
    assert [each.tag for each in flame] == ["xform", "xform", "palette"]
    one, other, palette = flame
    assert one.get("coefs") == "0.75 -0.25 0.125 0.5 -1.5 0.375"
    assert (one.get("weight"), one.get("linear")) == ("0.5", "1")
    assert (one.get("color_speed"), one.get("symmetry")) == ("1", "-1")
    assert (other.get("color_speed"), other.get("symmetry")) == ("0.75", "-0.5")
    assert (one.get("color"), other.get("color")) == (f"{255 / 256:.9g}", "0")  # blue is darker than red
    assert (palette.get("count"), palette.get("format")) == ("256", "RGB")
    lines = (palette.text or "").split()
    assert [len(line) for line in lines] == [48] * 32
    digits = "".join(lines)
    assert (digits[:6], digits[-6:]) == ("0000FF", "FF0000")


def test_point_lands_on_the_same_pixel_by_the_formulas_of_flam3(tmp_path: Path) -> None:
    """x' = a x + b y + c, y' = d x + e y + f; column (x - center) scale + size / 2, row the same of y."""
    written = generator(anderson_farrell(5, 4), image_size=1024, window=1.5, num_points=50)
    written.save(tmp_path / "some.flame")
    fractals = torch.arange(5)
    sequences = written.draw_sequences(fractals)
    ours = written.points(fractals, sequences)
    for row, flame in enumerate(flames(tmp_path / "some.flame")):
        xforms = [list(map(float, (each.get("coefs") or "").split())) for each in flame.findall("xform")]
        scale, (size, _) = float(flame.get("scale") or ""), map(int, (flame.get("size") or "").split())
        start = written.embedding().A[row, 0], written.embedding().b[row, 0]
        y, x = torch.linalg.solve(torch.eye(2) - start[0], start[1]).tolist()
        for t, n in enumerate(sequences[row].tolist()):
            a, d, b, e, c, f = xforms[n]
            x, y = a * x + b * y + c, d * x + e * y + f
            pixel = y * scale + size / 2, x * scale + size / 2  # whose integers are edges, ours are centers
            expected = [each + 0.5 for each in ours[row, t].tolist()]
            assert pixel == pytest.approx(expected, abs=0.02)


def test_color_lands_on_the_same_gray_by_the_formulas_of_flam3(tmp_path: Path) -> None:
    """c' = (1 - color_speed) c + color_speed color, looked up at 256 c, linearly."""
    from fractalgan.ops import point_features

    transforms = anderson_farrell(1, 4)
    features = features_of(transforms.b, 1, 0.6)
    generator(transforms, features).save(tmp_path / "gray.flame")
    (flame,) = flames(tmp_path / "gray.flame")
    digits = bytes.fromhex("".join((flame.findtext("palette") or "").split()))
    palette = [digits[k] / 255 for k in range(0, len(digits), 3)]
    sequence = torch.randint(0, 4, (1, 30))
    ours = point_features(features, torch.tensor([0]), sequence)[0, :, 0].tolist()
    xforms, color = flame.findall("xform"), None
    for n, expected in zip(sequence[0].tolist(), ours, strict=True):
        own, speed = (float(xforms[n].get(key) or "") for key in ("color", "color_speed"))
        color = own if color is None else (1 - speed) * color + speed * own
        low = min(int(color * 256), 254)
        share = color * 256 - low
        assert (1 - share) * palette[low] + share * palette[low + 1] == pytest.approx(expected, abs=1e-5)


def test_names_come_along(tmp_path: Path) -> None:
    written = generator(anderson_farrell(3, 2))
    written.save(tmp_path / "a.flame", {"names": ["x", "<y> & z", "w"]}, fractals=[2, 1])
    assert read_fractals(tmp_path / "a.flame").provenance == {"file": "a.flame", "names": ["w", "<y> & z"]}
    written.save(tmp_path / "b.flame", fractals=[2, 0])
    assert read_fractals(tmp_path / "b.flame").provenance["names"] == ["fractal 2", "fractal 0"]


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    A, b = anderson_farrell(3, 2)
    b[1, 0, 0] = torch.nan
    for suffix in (".flame", ".ifs", ".svg"):
        path = tmp_path / f"lost{suffix}"
        with pytest.raises(InputError, match="fractal 1 has numbers that are not finite: leave it out"):
            generator(Transforms(A, b)).save(path)
        assert not path.exists()
