"""Errors as one line for the user."""

import errno
import re

from jsonargparse import ArgumentError
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from fractalgan.cli.did_you_mean import did_you_mean
from fractalgan.errors import InputError

# Invalid input, an invalid trainer option, a run that diverged, a full or locked disk.
USER_ERRORS = (MisconfigurationException, FloatingPointError, OSError)

DISK_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

OUT_OF_MEMORY = re.compile(r"can't allocate memory|out of memory|not enough memory", re.IGNORECASE)


def explain(error: BaseException) -> str | None:
    """One line for an error that a user can correct; None for a defect, which should show its traceback."""
    if isinstance(error, ArgumentError):
        return _explain_argument(error)
    if isinstance(error, InputError):
        return one_line(error.for_command_line)
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return f"the disk is full ({error.strerror}): free some space, then run the same command again"
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return error.strerror
    if isinstance(error, USER_ERRORS):
        return one_line(str(error))
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(str(error))
    ):
        return "out of memory: use a smaller batch size, smaller images, or fewer of them"
    if isinstance(error.__cause__, ValueError):  # of a constructor, wrapped by jsonargparse
        return explain(error.__cause__)
    return None


def one_line(text: str) -> str:
    """Text with all white space replaced by single spaces."""
    return " ".join(text.split())


def _explain_argument(error: ArgumentError) -> str:
    """The innermost of jsonargparse's tree of reasons, in which every level is indented."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    if place := re.search(r'in "<unicode string>", (line \d+, column \d+)', lines[-1]):
        return f"the configuration is not valid YAML, at {place[1]}"
    keys = [match[1] for line in lines if (match := re.search(r'Parser key "([^"]+)":', line))]
    reason = max(lines, key=lambda line: len(line) - len(line.lstrip(" -"))).strip(" -")
    reason = re.sub(r'^Parser key "[^"]+":\s*', "", reason)
    reason = re.sub(r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1", reason)
    reason = re.sub(r"Expected an? <class '([\w.]+)'>", r"expected \1", reason)
    reason = re.sub(
        r"Not of type \w+: (.*) does not conform to restriction v(>=?)(\d+)", r"must be \2 \3, got \1", reason
    ).removesuffix(", got ")
    reason = re.sub(r"Expected a dot import path string: (\w+)", r"there is no class \1", reason)
    reason = re.sub(r"File does not exist: '(?:.*/)?([^/]+)'", r"there is no file \1", reason)
    reason = re.sub(r"Unexpected config: .*", "the file must contain options as YAML", reason)
    reason += did_you_mean(reason)
    return f"--{'.'.join(keys)}: {reason}" if keys else reason
