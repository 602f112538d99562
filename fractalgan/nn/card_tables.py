"""Tables of a card: what a file says of its origin, as Markdown."""

import json
import re
from collections.abc import Iterator
from typing import Any

MAX_VALUE = 200  # characters of a value that are shown
MAX_ROWS = 200  # of a table

# Values may come from a stranger's file: none of them is to be read as Markdown, HTML or a link.
SPECIAL = re.compile(r"[!-+.:-<>-@\[-`{-~]")  # ASCII punctuation but for , - / =
HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

NOT_RECORDED = "The file does not say."


def section(title: str, values: Any) -> str:
    """A heading and a table of nested values."""
    rows = list(_rows(values))[:MAX_ROWS]
    lines = [f"| {escaped(name)} | {escaped(value)} |" for name, value in rows]
    return "\n".join(
        ["", f"## {title}", "", *(["| | |", "|---|---|", *lines] if lines else [NOT_RECORDED]), ""]
    )


def _rows(values: Any, group: str = "") -> Iterator[tuple[str, Any]]:
    """Names and plain values of nested tables."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from _rows(value, f"{group}.{name}" if group else str(name))
    elif group or values is not None:
        yield group or "name", values


def escaped(value: Any) -> str:
    """A value as text that is the same in Markdown and in HTML."""
    if isinstance(value, float):
        text = f"{value:.4g}"
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    if len(text) > MAX_VALUE:
        text = text[:MAX_VALUE] + " ..."
    if isinstance(value, int | float):
        return text
    return SPECIAL.sub(lambda match: HTML.get(match[0], "\\" + match[0]), text)
