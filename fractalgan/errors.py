"""The error that a user can mend; the command line prints it as one line."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_args


class InputError(ValueError):
    """Something given from outside is wrong. The message says what, and what to do about it."""


@contextmanager
def blame_input(about: str = "") -> Iterator[None]:
    """Raise a ValueError from within as InputError: its message after what it is ``about``."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"{about}: {error}" if about else str(error)) from error


def require_at_least(least: float, **numbers: float) -> None:
    """Raise InputError for the first of the named numbers that is below ``least``, infinite, or NaN."""
    for name, number in numbers.items():
        if not least <= number < math.inf:
            raise InputError(f"{name}: want {least} or more, got {number}")


def require_at_most(most: float, **numbers: float) -> None:
    """Raise InputError for the first of the named numbers that is above ``most``, or NaN."""
    for name, number in numbers.items():
        if not number <= most:
            raise InputError(f"{name}: want {most} or less, got {number}")


def require_choice(choices: Any, **values: str) -> None:
    """Raise InputError for the first of the named values that is none of a Literal's ``choices``."""
    for name, value in values.items():
        if value not in get_args(choices):
            raise InputError(f"{name}: want one of {', '.join(get_args(choices))}, got {value!r}")


def require_above(bound: float, **numbers: float) -> None:
    """Raise InputError for the first of the named numbers that is not above ``bound``."""
    for name, number in numbers.items():
        if not number > bound:
            raise InputError(f"{name}: want more than {bound}, got {number}")


def require_rates(**pairs: Sequence[float]) -> None:
    """Raise InputError for the first of the named sequences with a number outside [0, 1)."""
    for name, rates in pairs.items():
        if not all(0 <= rate < 1 for rate in rates):
            raise InputError(f"{name}: want rates in [0, 1), got {list(rates)}")
