"""Errors in one line, for people."""

import re

from jsonargparse import ArgumentError
from pytorch_lightning.utilities.exceptions import (  # type: ignore[attr-defined]
    MisconfigurationException,
)

from fractalgan.errors import InputError

# What a user can mend: wrong input, a wrong trainer option, a run that diverged, a full or locked disk.
MENDABLE = (InputError, MisconfigurationException, FloatingPointError, OSError)


def explain(error: BaseException) -> str | None:
    """One line for what a user can mend; None for a defect of ours, which should show its traceback."""
    if isinstance(error, ArgumentError):
        return _explain_argument(error)
    if isinstance(error, MENDABLE):
        return " ".join(str(error).split())
    # jsonargparse wraps what the constructors of tasks and data raise
    return explain(error.__cause__) if isinstance(error.__cause__, (ValueError, InputError)) else None


def _explain_argument(error: ArgumentError) -> str:
    """Of jsonargparse's tree of reasons, one level of indentation a key, the innermost alone."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    keys = [match[1] for line in lines if (match := re.search(r'Parser key "([^"]+)":', line))]
    reason = max(lines, key=lambda line: len(line) - len(line.lstrip(" -"))).strip(" -")
    reason = re.sub(r'^Parser key "[^"]+":\s*', "", reason)
    reason = re.sub(r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1", reason)
    reason = re.sub(r"Expected an? <class '([\w.]+)'>", r"expected \1", reason)
    return f"--{'.'.join(keys)}: {reason}" if keys else reason
