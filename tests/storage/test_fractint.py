"""Fractals as FRACTINT's text."""

import contextlib
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fractalgan import FractalGenerator
from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding, ProbabilityRule
from fractalgan.ops import Features, Transforms, anderson_farrell, fractaldb
from fractalgan.storage import read_fractals
from tests.storage.test_refusals import refusal

# Barnsley's fern and Sierpinski's triangle, as they are in FRACTINT's own file.
FERN = """fern {  ; Barnsley
    0    0    0  .16 0   0 .01
  .85  .04 -.04  .85 0 1.6 .85
  .2  -.26  .23  .22 0 1.6 .07
 -.15  .28  .26  .24 0 .44 .07
 }"""
TRIANGLE = """triangle (2D) { .5 0 0 .5 0 0 .33
 .5 0 0 .5 0 1 .33
 .5, 0, 0, .5, 1, 1, .34 ; the right one, with a window of 7
 }"""

FERN_3D = "3dfern (3D) {\n .00 .00 0 .0 .18 .0 0 0.0 0.00 0 0.0 0 .01\n}"


def read(path: Path, text: str | bytes) -> FractalGenerator:
    path.write_bytes(text.encode("latin-1") if isinstance(text, str) else text)
    return FractalGenerator.from_pretrained(path)


def generator(transforms: Transforms, rule: ProbabilityRule = "determinant", window=2.5) -> FractalGenerator:
    embedding = FractalEmbedding(transforms, "raw")
    return FractalGenerator(embedding, window=window, probabilities=rule)


@pytest.mark.parametrize("window", [2.5, 1.7])
@pytest.mark.parametrize("procedure", [anderson_farrell, fractaldb])
def test_fractals_are_read_back(procedure, window: float, tmp_path: Path) -> None:
    written = generator(procedure(100, 10), window=window)
    written.save(tmp_path / "some.ifs")
    read_it = FractalGenerator.from_pretrained(tmp_path / "some.ifs")
    for one, other in zip(read_it.embedding(), written.embedding(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    assert (read_it.window, read_it.probabilities) == (window, "determinant")


def test_learned_fractals_are_read_back(tmp_path: Path) -> None:
    written = FractalGenerator.from_pretrained("digits")
    written.save(tmp_path / "some.ifs", fractals=[3, 1])
    read_it = FractalGenerator.from_pretrained(tmp_path / "some.ifs")
    assert read_it.embedding().A.equal(written.embedding().A[[3, 1]])
    assert read_it.embedding().b.equal(written.embedding().b[[3, 1]])
    assert read_fractals(tmp_path / "some.ifs").provenance["names"] == ["fractal_3", "fractal_1"]


def test_text_is_that_of_fractint(tmp_path: Path) -> None:
    """x' = a x + b y + e and y' = c x + d y + f: x is our second coordinate, and y minus our first."""
    A = torch.tensor([[[[0.5, -0.25], [0.125, 0.75]], [[0.25, 0.0], [0.0, 0.25]]]])
    b = torch.tensor([[[0.375, -1.5], [0.0, 2.0]]])
    generator(Transforms(A, b), "uniform").save(tmp_path / "a.ifs")
    lines = (tmp_path / "a.ifs").read_text().splitlines()
    assert lines[1:3] == ["fractal_0 {", "  ; window 2.5"]
    assert [line.split() for line in lines[3:5]] == [
        ["0.75", "-0.125", "0.25", "0.5", "-1.5", "-0.375", "0.5"],
        ["0.25", "0", "0", "0.25", "2", "0", "0.5"],
    ]
    a, b_, c, d, e, f, _ = map(float, lines[3].split())
    x, y = 0.3, -0.8
    column, row = a * x + b_ * y + e, -(c * x + d * y + f)
    expected = A[0, 0] @ torch.tensor([-y, x]) + b[0, 0]
    assert [row, column] == pytest.approx(expected.tolist(), abs=1e-6)


def test_fern_grows_upward_in_the_middle_of_the_window(
    tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    fern = read(tmp_path / "fern.ifs", FERN)
    A, _ = fern.embedding()
    torch.testing.assert_close(A[0, 1], torch.tensor([[0.85, 0.04], [-0.04, 0.85]]))
    assert fern.probabilities == "area"  # the stem is a line, which "determinant" would leave out
    assert "the weights of fern are replaced by probabilities from the matrices" in logs.text
    image = fern.draw(0, size=64)[0, 0]
    rows, columns = image.sum(1), image.sum(0)
    filled = (rows > 0.5).nonzero().flatten()
    assert 2 <= filled[0] <= 6
    assert 57 <= filled[-1] <= 61
    width = (columns > 0.5).nonzero().flatten()
    assert width[-1] - width[0] < 40  # the aspect is kept
    # the stem, drawn by the first transform, starts at the foot
    transforms = Transforms(*(each.detach() for each in fern.embedding()))
    foot = torch.linalg.solve(torch.eye(2) - transforms.A[0, 0], transforms.b[0, 0])
    assert foot[0] == pytest.approx(2.25, abs=0.05)


def test_triangle_has_the_corners_of_its_closed_form(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    """Corners (0, 0), (0, 2), (2, 2): scaled by 2.25 around (1, 1), with y upwards."""
    triangle = read(tmp_path / "a.ifs", TRIANGLE)
    A, b = triangle.embedding()
    assert A.equal((torch.eye(2) / 2).expand(1, 3, 2, 2))
    corners = 2 * b[0]
    expected = torch.tensor([[2.25, -2.25], [-2.25, -2.25], [-2.25, 2.25]])
    torch.testing.assert_close(corners, expected, rtol=0, atol=0.06)
    assert triangle.probabilities == "determinant"
    assert not logs.text


def test_several_entries_with_comments_are_read(tmp_path: Path) -> None:
    text = f"; a file {{\ncomment {{ any\ntext 1 2 }}\n\n{FERN}\r\n\r\n{TRIANGLE}\n; \xe9nd"
    both = read(tmp_path / "A.IFS", text)
    assert len(both.embedding) == 2
    assert both.embedding.num_transforms == 12
    assert read_fractals(tmp_path / "A.IFS").provenance == {
        "file": "A.IFS",
        "names": ["fern", "triangle (2D)"],
    }


def test_names_have_no_control_characters(tmp_path: Path) -> None:
    read(tmp_path / "a.ifs", "\x1b[31mred\x07 { .5 0 0 .5 0 0 1 }")
    assert read_fractals(tmp_path / "a.ifs").provenance["names"] == ["[31mred"]


def test_probabilities_may_be_missing(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    assert read(tmp_path / "a.ifs", "levy { .5 -.5 .5 .5 0 0\n.5 .5 -.5 .5 .5 .5\n}").probabilities == "area"
    assert not logs.text


def test_noted_windows_are_made_the_same(tmp_path: Path) -> None:
    text = "a { ; window 1\n .5 0 0 .5 .25 0 1 }\nb {\n ; window 2\n .5 0 0 .5 .5 0 1 }"
    both = read(tmp_path / "a.ifs", text)
    assert both.embedding().b.tolist() == [[[0, 0.625]], [[0, 0.625]]]
    assert both.window == 2.5


def test_diverging_fractals_stay_where_they_are(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    diverging = "big { 3 0 0 3 1 0 .5\n 2 0 0 2 0 1 .5 }"
    both = read(tmp_path / "a.ifs", f"{diverging}\n{TRIANGLE}")
    assert both.embedding().b[0, 0].tolist() == [0, 1]
    assert "big, whose points diverge, is not moved to the window" in logs.text
    assert both.draw([0, 1]).isfinite().all()


def test_point_attractor_is_moved_to_the_middle(tmp_path: Path) -> None:
    point = read(tmp_path / "a.ifs", "p { .5 0 0 .5 40 -20 1 }")
    assert point.embedding().b.tolist() == [[[0, 0]]]


def test_colors_and_jitter_are_said_to_be_lost(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    transforms = anderson_farrell(2, 3)
    features = Features(torch.rand(2, 3, 3), torch.zeros(2, 3), torch.zeros(2, 3))
    colored = FractalGenerator(FractalEmbedding(transforms, features=features), jitter=0.2)
    colored.save(tmp_path / "a.ifs")
    assert "no place for jitter (0.2); gray levels and colors, their blend, and the background" in logs.text


@settings(max_examples=50, deadline=None)
@given(text=st.text(alphabet="{};.-+0123456789 \n(3D)ae,", max_size=60))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "any.ifs"
    with contextlib.suppress(InputError):  # any other error fails
        assert read(path, text).embedding().A.isfinite().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no entries, which are name { a b c d e f p }"),
        ("; only a comment", "it has no entries"),
        ("comment { nothing }", "it has no entries"),
        (b"GIF89a\0\0\0", "is not a text file"),
        ("hello", "line 1 is not part of an entry"),
        ("a {", "the entry 'a' has no end: add a line with }"),
        ("a { }", "the entry 'a' has no transforms"),
        ("a { 1 2 3 }", "line 1, of 'a': a transform must have 6 or 7 numbers, got 3"),
        ("a {\n 1 0 0 1 0 0 nan\n}", "line 2, of 'a': 'nan' is not a finite number"),
        ("a {\n 1 0 0 1e999 0 0 1\n}", "line 2, of 'a': '1e999' is not a finite number"),
        ("a {\n 1 0 0 1 0 0 -1\n}", "the probabilities of 'a' must be >= 0, and not all 0"),
        ("a {\n 1 0 0 1 0 0 0\n}", "the probabilities of 'a' must be >= 0, and not all 0"),
        ("a {\n 1 0 0 1 0 0\n 1 0 0 1 0 0 1\n}", "must have a probability for every transform, or for none"),
        ("a {\n ; window wide\n 1 0 0 1 0 0\n}", "'wide' is not a finite number"),
        ("a {\n ; window -1\n 1 0 0 1 0 0\n}", "window must be in"),
        ("a {\n ; window 0\n 1 0 0 1 0 0\n}\nb {\n ; window 1\n 1 0 0 1 0 0\n}", "window must be in"),
        ("a {\n 1e300 0 0 1 0 0 1\n}", "a has numbers that are too large"),
        (f"{TRIANGLE}\n{FERN_3D}", "the entry '3dfern (3D)' is in 3D, which cannot be drawn: remove it"),
        (FERN_3D.replace("(3D)", ""), "a transform must have 6 or 7 numbers, got 13"),
        ("a {\n" + "0 0 0 0 0 0\n" * 200_001 + "}", "it has more than 200000 transforms: split the file"),
        ("a {" * 100_000, "line 1, of 'a': 'a' is not a finite number"),
    ],
)  # fmt: skip
def test_other_content_is_refused_in_one_line(text: str | bytes, message: str, tmp_path: Path) -> None:
    found = refusal(tmp_path / "bad.ifs", text.encode("latin-1") if isinstance(text, str) else text)
    assert message in found
