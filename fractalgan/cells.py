"""The finished cells of a long experiment: a file that grows by a line a cell, and is gone on with."""

import json
import os
from pathlib import Path
from typing import Any

from fractalgan.errors import InputError
from fractalgan.whole_file import write_whole

Row = dict[str, Any]


class Cells:
    """Rows in a JSON-lines file, each known by the values of its ``key``.

    A last line that was cut off is dropped, and its cell is to be done again. Raises InputError where
    the file holds anything else that is no row.

    Args:
        path: the file; made with the first row.
        key: the names whose values tell one cell from another, in the order of sorting.
    """

    def __init__(self, path: Path, key: tuple[str, ...]) -> None:
        self.path = path
        self.key = key
        self.rows: list[Row] = []
        self._done: set[tuple[Any, ...]] = set()
        if path.exists():
            self._read()

    def __contains__(self, row: Row) -> bool:
        return self._of(row) in self._done

    def append(self, row: Row) -> None:
        """Add a finished cell: it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._add(row)

    def sort(self) -> None:
        """Bring the file into the order of the keys, whatever order the cells were finished in."""
        self.rows.sort(key=self._of)
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self._done.add(self._of(row))

    def _of(self, row: Row) -> tuple[Any, ...]:
        return tuple((isinstance(row[name], str), row[name]) for name in self.key)

    def _read(self) -> None:
        text = self.path.read_text()
        whole, _, cut = text.rpartition("\n")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                double = row in self
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{self.path}: line {number} is no finished cell: remove it") from error
            if double:
                raise InputError(f"{self.path}: line {number} is a cell that is there already: remove it")
            self._add(row)
        if cut:
            write_whole(self.path, whole + "\n" if whole else "")
