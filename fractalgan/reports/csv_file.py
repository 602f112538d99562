"""The cells of an experiment as a CSV file."""

import csv
import io
from pathlib import Path
from typing import Any

from fractalgan.whole_file import write_whole


def write_csv(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """All rows, a line each, by these columns of them; whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row[column] for column in columns] for row in rows)
    write_whole(path, text.getvalue())
