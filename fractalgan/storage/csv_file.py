"""Rows of an experiment as a CSV file."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from fractalgan.storage.atomic import atomic_write
from fractalgan.storage.cells import Row


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the given columns of all rows, atomically; a column that a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    atomic_write(path, text.getvalue())
