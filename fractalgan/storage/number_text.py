"""Numbers in the text of files: the shortest that float32 needs, and none but finite ones."""

import math
import re

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)

FLOAT32_DIGITS = 9  # from which a float32 can be read back exactly


def to_text(number: float) -> str:
    """A float32 with all its digits."""
    return f"{number:.{FLOAT32_DIGITS}g}"


def to_number(text: str) -> float:
    """A finite decimal number.

    Raises:
        ValueError: for any other text, NaN and infinity included.
    """
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]!r} is not a finite number")
    return number


def to_numbers(text: str, count: int | None = None) -> list[float]:
    """Numbers with spaces or commas between them.

    Args:
        text: the numbers.
        count: how many there must be; None for any number.

    Raises:
        ValueError: for anything else.
    """
    words = text.replace(",", " ").split()
    if count is not None and len(words) != count:
        raise ValueError(f"expected {count} numbers, got {text[:40]!r}")
    return [to_number(word) for word in words]
