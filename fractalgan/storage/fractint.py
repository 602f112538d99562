"""Fractals as FRACTINT's .ifs text: ``name { a b c d e f p ... }``, one line per transform.

Here x' = a x + b y + e and y' = c x + d y + f, and p is the probability; see
http://larryriddle.agnesscott.org/ifskit/IFShelp/ifsfileformat.html. FRACTINT's y points upwards: x is our
second coordinate, and y the negative of our first.

The format has no window. Ours is noted in a comment, ``; window 2.5``, and read from there. Fractals without
that note are moved and scaled, equally along both axes, into the middle of our window.
"""

import logging
import re
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from fractalgan.errors import InputError, as_input_error
from fractalgan.limits import MAX_IFS_BYTES, MAX_IMPORTED_TRANSFORMS, require_bytes
from fractalgan.ops import (
    PROBABILITIES,
    Features,
    Transforms,
    check_view,
    draw_sequences,
    offsets_about,
    points_of_chains,
)
from fractalgan.ops.random_fractals import MAX_COORDINATE
from fractalgan.storage.exported_fractals import drawable, printable_names, warn_of_losses
from fractalgan.storage.fractal_content import MATRICES, RAW_SETTINGS, FractalFile
from fractalgan.storage.imported_fractals import (
    ImportedFractal,
    listed,
    nearest_rule,
    printable,
    stacked,
    with_equal_numbers,
)
from fractalgan.storage.number_text import to_number, to_numbers, to_text

log = logging.getLogger(__name__)

WINDOW_NOTE = re.compile(r"\s*window\s+(\S+)\s*")
IN_3D = re.compile(r"\(3d\)", re.IGNORECASE)
NUMBERS = (6, 7)  # per transform: the probability may be missing
FILLED = 0.9  # of the window, by fractals whose position the file does not give
EXTENTS_AT_ONCE = 1000  # fractals, whose points take 16 MB
EXTENT_POINTS = 2000  # from which the extent of an attractor is estimated


class _Entry(NamedTuple):
    name: str
    rows: list[list[float]]
    window: float | None


def fractint_text(path: Path, content: FractalFile) -> bytes:
    """The text of fractals, for a file. Colors, which the format does not have, are left out with a warning.

    Raises:
        InputError: for numbers that are not finite.
    """
    fractals, window = drawable(content), content.settings["window"]
    probabilities = PROBABILITIES[content.settings["probabilities"]](fractals.transforms.A)
    lines = ["; written by fractalgan"]
    for row, name in enumerate(printable_names(content)):
        lines += [f"{_plain_name(name)} {{", f"  ; window {window!r}"]
        for A, b, probability in zip(
            *(each[row] for each in fractals.transforms), probabilities[row], strict=True
        ):
            ((d, c), (b_, a)), (f, e) = A.tolist(), b.tolist()
            numbers = (a, -b_, -c, d, e, -f, float(probability))
            lines.append("  " + " ".join(to_text(each + 0.0) for each in numbers))
        lines += ["}", ""]
    warn_of_losses(path, content, colors=False)
    return "\n".join(lines).encode("ascii")


def _plain_name(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_") or "fractal"
    return plain + "_" * _is_comment(plain)


def _is_comment(name: str) -> bool:
    """Whether an entry of this name has free text."""
    return name.lower() == "comment"


def read_fractint(path: Path) -> FractalFile:
    """Read all entries of a file; free text in an entry named ``comment`` is skipped.

    Probabilities follow from a rule, see :func:`fractalgan.storage.imported_fractals.nearest_rule`.

    Returns:
        The fractals, settings, and provenance.

    Raises:
        InputError: for a file that is not such text, and for entries in 3D.
    """
    require_bytes(path, MAX_IFS_BYTES)
    text = path.read_bytes().partition(b"\x1a")[0]  # which ends a text in DOS
    if b"\0" in text:
        raise InputError(f"{path} is not a text file")
    with as_input_error(str(path)):
        entries = _entries(text.decode("latin-1"))
        if not entries:
            raise ValueError("it has no entries, which are name { a b c d e f p }")
        return _content(path, entries)


def _entries(text: str) -> list[_Entry]:
    entries: list[_Entry] = []
    name, total = "", 0
    rows: list[list[float]] | None = None
    window: float | None = None
    for number, line in enumerate(StringIO(text, newline=None), 1):
        code, _, comment = line.rstrip("\n").partition(";")
        before, opened, code = code.partition("{") if rows is None else ("", "", code)
        if opened:
            name, rows, window = printable(before), [], None
            if IN_3D.search(name):
                raise ValueError(f"the entry {name!r} is in 3D, which cannot be drawn: remove it")
        elif before.strip():
            raise ValueError(f"line {number} is not part of an entry, which is name {{ ... }}")
        if rows is None:
            continue
        if note := WINDOW_NOTE.fullmatch(comment):
            window = to_number(note[1])
            check_view((1, 1), window)
        code, closed, _ = code.partition("}")
        if not _is_comment(name) and (row := _row(code, name, number)):
            rows.append(row)
            total += 1
            if total > MAX_IMPORTED_TRANSFORMS:
                raise ValueError(f"it has more than {MAX_IMPORTED_TRANSFORMS} transforms: split the file")
        if closed:
            entries += _complete(name, rows, window)
            rows = None
    if rows is not None:
        raise ValueError(f"the entry {name!r} has no end: add a line with }}")
    return entries


def _row(code: str, name: str, number: int) -> list[float]:
    """The numbers of a transform; none for a blank line."""
    try:
        row = to_numbers(code)
    except ValueError as error:
        raise ValueError(f"line {number}, of {name!r}: {error}") from error
    if row and len(row) not in NUMBERS:
        raise ValueError(f"line {number}, of {name!r}: a transform must have 6 or 7 numbers, got {len(row)}")
    return row


def _complete(name: str, rows: list[list[float]], window: float | None) -> list[_Entry]:
    """The entry, or none for a comment."""
    if _is_comment(name):
        return []
    if not rows:
        raise ValueError(f"the entry {name!r} has no transforms")
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"the entry {name!r} must have a probability for every transform, or for none")
    return [_Entry(name or "unnamed", rows, window)]


def _content(path: Path, entries: list[_Entry]) -> FractalFile:
    noted = {each.window for each in entries if each.window is not None}
    window = noted.pop() if len(noted) == 1 else float(RAW_SETTINGS["window"])
    imported = with_equal_numbers([_imported(each) for each in entries])
    rule = nearest_rule(path, torch.cat([each.transforms.A for each in imported]), imported)
    scaled = [
        each.in_window(window if entry.window is None else entry.window, window)
        for each, entry in zip(imported, entries, strict=True)
    ]
    A, b = stacked(scaled).transforms
    free = torch.tensor([each.window is None for each in entries])
    if free.any():
        fitted, bounded = _fitted(Transforms(A[free], b[free]), window)
        b[free] = fitted
        if not bounded.all():
            names = [each.name for each in entries if each.window is None]
            diverging = [name for name, kept in zip(names, bounded.tolist(), strict=True) if not kept]
            log.warning("%s: %s, whose points diverge, is not moved to the window", path, listed(diverging))
    settings = RAW_SETTINGS | {"window": window, "probabilities": rule}
    provenance = {"file": path.name, "names": [each.name for each in entries]}
    return FractalFile({MATRICES: A, "b": b}, settings, provenance)


def _imported(entry: _Entry) -> ImportedFractal:
    rows = torch.tensor(entry.rows, dtype=torch.float64)
    a, b, c, d, e, f = rows[:, :6].unbind(1)
    A = torch.stack([torch.stack([d, -c], -1), torch.stack([-b, a], -1)], -2).unsqueeze(0)
    offset = torch.stack([-f, e], -1).unsqueeze(0)
    weights = rows[:, 6] if rows.shape[1] == max(NUMBERS) else None
    if weights is not None and ((weights < 0).any() or not 0 < weights.sum() < float("inf")):
        raise ValueError(f"the probabilities of {entry.name!r} must be >= 0, and not all 0")
    return ImportedFractal(entry.name, Transforms(A, offset), weights, Features.none(offset))


def _fitted(transforms: Transforms, window: float) -> tuple[Tensor, Tensor]:
    """Offsets b [J, N, 2] that put the same fractals, but those that diverge, in the middle of the window.

    With w = (v - c) / s, v' = A v + b becomes w' = A w + (A c + b - c) / s.

    Returns:
        The offsets, and whether each fractal was moved, [J].
    """
    parts = [
        _extent(Transforms(*part))
        for part in zip(*(torch.split(each, EXTENTS_AT_ONCE) for each in transforms), strict=True)
    ]
    low, high = (torch.cat(each) for each in zip(*parts, strict=True))  # [J, 2]
    bounded = torch.stack([low, high]).abs().amax((0, 2)) < MAX_COORDINATE  # NaN is not
    center = ((low + high) / 2).unsqueeze(1)
    size = (high - low).amax(1) / (2 * FILLED * window)
    scale = torch.where(size > 0, size, 1.0).view(-1, 1, 1)
    moved = offsets_about(transforms, center) / scale
    return torch.where(bounded.view(-1, 1, 1), moved, transforms.b), bounded


def _extent(transforms: Transforms) -> tuple[Tensor, Tensor]:
    """The least and the greatest coordinates [J, 2] of attractors."""
    number = len(transforms.b)
    sequences = draw_sequences(
        PROBABILITIES["area"](transforms.A),
        torch.arange(number),
        EXTENT_POINTS,
        torch.Generator().manual_seed(0),
    )
    points = points_of_chains(transforms, sequences.unsqueeze(1))
    return points.amin(1), points.amax(1)
