"""The finished cells of an experiment: a JSON Lines file that grows by one row per cell."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fractalgan.errors import InputError
from fractalgan.storage.atomic import atomic_write

Row = dict[str, Any]


class Cells:
    """Rows of a JSON Lines file, each identified by the values of its ``key``.

    An incomplete last line, left by a program that was killed, is dropped.

    Args:
        path: the file; created with the first row.
        key: the names of the columns that identify a cell, in sorting order.
        current: makes a row of an earlier version one of today.

    Raises:
        InputError: if the file has a line that is not a row, or two rows with the same key.
    """

    def __init__(
        self, path: Path, key: tuple[str, ...], current: Callable[[Row], Row] = lambda row: row
    ) -> None:
        self.path = path
        self.key = key
        self.current = current
        self.rows: list[Row] = []
        self._keys: set[tuple[Any, ...]] = set()
        if path.exists():
            self._read()

    def __contains__(self, row: Row) -> bool:
        return self._key_of(row) in self._keys

    def __len__(self) -> int:
        return len(self.rows)

    def append(self, row: Row) -> None:
        """Add a finished cell; it is on disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._add(row)

    def sort(self) -> None:
        """Sort the file by key: the result does not depend on the order in which cells finished."""
        self.rows.sort(key=self._key_of)
        atomic_write(self.path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self._keys.add(self._key_of(row))

    def _key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple((isinstance(row[name], str), row[name]) for name in self.key)

    def _read(self) -> None:
        complete, _, incomplete = self.path.read_text().rpartition("\n")
        for number, line in enumerate(complete.splitlines(), 1):
            try:
                row = self.current(json.loads(line))
                duplicate = row in self
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self.path}, line {number} is not a valid result: delete the line"
                ) from error
            if duplicate:
                raise InputError(f"{self.path}, line {number} repeats an earlier result: delete the line")
            self._add(row)
        if incomplete:
            atomic_write(self.path, complete + "\n" if complete else "")
