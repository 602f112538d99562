"""Names of fractals in files for other programs: whatever they are, the file can be read back."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fractalgan import FractalGenerator
from fractalgan.nn import FractalEmbedding
from fractalgan.ops import anderson_farrell
from fractalgan.storage import read_fractals

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # surrogates and control characters, too

NAMES = ["a\nb", "\x1b[31mred\x00", "\ud800", "\uffff", "COMMENT", " comment;", "}", "(3D)", "", "x" * 200]


def generator(count: int) -> FractalGenerator:
    return FractalGenerator(FractalEmbedding(anderson_farrell(count, 2), "raw"))


@pytest.mark.parametrize("suffix", [".flame", ".ifs"])
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(ANY_TEXT, max_size=3))
def test_all_fractals_are_read_back(drawn: list[str], suffix: str, tmp_path: Path) -> None:
    names = NAMES + drawn
    written, path = generator(len(names)), tmp_path / f"some{suffix}"
    written.save(path, {"names": names})
    read = FractalGenerator.from_pretrained(path)
    assert read.embedding().b.equal(written.embedding().b)
    path.unlink()


def test_names_stay_as_they_were_where_they_can(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    written = generator(len(NAMES))
    written.save(tmp_path / "a.flame", {"names": NAMES})
    found = read_fractals(tmp_path / "a.flame").provenance["names"]
    kept = ["COMMENT", "comment;", "}", "(3D)", "fractal 8", "x" * 80]
    assert found == ["a b", "[31mred", "fractal 2", "fractal 3", *kept]
    assert "a.flame: the format has no place for some characters of the names" in logs.text
    written.save(tmp_path / "a.ifs", {"names": NAMES})
    found = read_fractals(tmp_path / "a.ifs").provenance["names"]
    kept = ["COMMENT_", "comment_", "fractal", "3D", "fractal_8", "x" * 80]
    assert found == ["a_b", "31mred", "fractal_2", "fractal_3", *kept]


def test_drawing_and_files_of_any_name_are_xml(tmp_path: Path) -> None:
    for suffix in (".flame", ".svg"):
        path = tmp_path / f"\x07{suffix}"
        generator(len(NAMES)).save(path, {"names": NAMES})
        root = ElementTree.fromstring(path.read_bytes())
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[:4] == ["a b", "[31mred", "fractal 2", "fractal 3"]
