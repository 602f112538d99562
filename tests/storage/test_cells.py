"""A file of finished cells: an incomplete last line is dropped."""

import json
from pathlib import Path

import pytest

from fractalgan.errors import InputError
from fractalgan.storage import Cells

KEY = ("source", "seed", "labels")


def row(seed: int, labels: int | str = "all", accuracy: float = 0.5) -> dict:
    return {"source": "random", "seed": seed, "labels": labels, "accuracy": accuracy}


def test_cells_are_identified_by_their_key_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cells.jsonl"
    cells = Cells(path, KEY)
    cells.append(row(1))
    cells.append(row(0, 10))
    again = Cells(path, KEY)
    assert again.rows == [row(1), row(0, 10)]
    assert row(1, accuracy=0.9) in again
    assert row(1, 10) not in again


def test_order_does_not_depend_on_which_finished_first(tmp_path: Path) -> None:
    rows = [row(1), row(0, 10), row(0), row(2, 100), row(0, 100)]
    texts = []
    for number, order in enumerate([rows, rows[::-1]]):
        cells = Cells(tmp_path / f"{number}.jsonl", KEY)
        for each in order:
            cells.append(each)
        cells.sort()
        texts.append(cells.path.read_text())
    assert texts[0] == texts[1]
    assert [json.loads(line) for line in texts[0].splitlines()] == Cells(tmp_path / "0.jsonl", KEY).rows


@pytest.mark.parametrize("length", range(1, len(json.dumps(row(1)))))
def test_incomplete_line_is_dropped(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cells.jsonl"
    cells = Cells(path, KEY)
    cells.append(row(0))
    whole = path.read_bytes()
    path.write_bytes(whole + json.dumps(row(1)).encode()[:length])
    again = Cells(path, KEY)
    assert again.rows == [row(0)]
    assert path.read_bytes() == whole
    again.append(row(1))
    assert Cells(path, KEY).rows == [row(0), row(1)]


@pytest.mark.parametrize("line", ["{", "[]", '{"source": "random"}', "3"])
def test_line_that_is_not_a_cell_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "cells.jsonl"
    path.write_text(json.dumps(row(0)) + "\n" + line + "\n")
    with pytest.raises(InputError, match="line 2 is not a valid result"):
        Cells(path, KEY)
