"""The error that a user can mend; the command line prints it as one line."""


class InputError(ValueError):
    """Something given from outside is wrong. The message says what, and what to do about it."""


def require_at_least(least: int, **counts: float) -> None:
    """Raise InputError for the first of the named counts that is below ``least``."""
    for name, count in counts.items():
        if count < least:
            raise InputError(f"{name}: want {least} or more, got {count}")
