"""How files of other programs are refused, whatever their format; the tests of each format use it."""

import time
from pathlib import Path

import pytest

from fractalgan.errors import InputError
from fractalgan.nn import FractalGenerator
from fractalgan.storage import read_fractals


def refusal(path: Path, content: bytes) -> str:
    """The message with which a file of this content is refused: one line that names the file, soon."""
    path.write_bytes(content)
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        FractalGenerator.from_pretrained(path)
    assert time.monotonic() - started < 20
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["large.flame", "large.ifs"])
def test_huge_file_is_not_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(10**12)  # a sparse file
    with pytest.raises(InputError, match="has more than 20000000 bytes"):
        read_fractals(path)
