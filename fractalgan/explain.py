"""Errors in one line, for people."""

import errno
import re
import traceback
from pathlib import Path

from jsonargparse import ArgumentError
from pytorch_lightning.utilities.exceptions import (  # type: ignore[attr-defined]
    MisconfigurationException,
)

from fractalgan.errors import InputError
from fractalgan.suggestion import suggestion

# What a user can mend: wrong input, a wrong trainer option, a run that diverged, a full or locked disk.
MENDABLE = (InputError, MisconfigurationException, FloatingPointError, OSError)

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

TOO_LITTLE = re.compile(r"can't allocate memory|out of memory|not enough memory", re.IGNORECASE)


def explain(error: BaseException) -> str | None:
    """One line for what a user can mend; None for a defect of ours, which should show its traceback."""
    if isinstance(error, ArgumentError):
        return _explain_argument(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the disk is full ({error.strerror}): make room, and give the command again"
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return error.strerror
    if isinstance(error, MENDABLE):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and TOO_LITTLE.search(str(error))):
        return "too little memory: take smaller batches or images, or fewer of them"
    if _is_of_restoring(error):
        said = " ".join(str(error).split())
        return f"the checkpoint does not hold what its options say ({type(error).__name__}: {said[:200]})"
    if isinstance(error.__cause__, ValueError):  # a constructor's, which jsonargparse wraps
        return explain(error.__cause__)
    if isinstance(error, ValueError) and "jsonargparse" in _frames(error)[-1].filename:
        return f"the options cannot be read: {' '.join(str(error).split())}"
    return None


def _is_of_restoring(error: BaseException) -> bool:
    """Whether it came while Lightning took a run up from a checkpoint."""
    return any(
        Path(frame.filename).stem == "checkpoint_connector" and re.match("_?(restore|resume)", frame.name)
        for frame in _frames(error)
    )


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Where it passed through, the place that raised it last."""
    return traceback.extract_tb(error.__traceback__)


def _explain_argument(error: ArgumentError) -> str:
    """Of jsonargparse's tree of reasons, one level of indentation a key, the innermost alone."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    if place := re.search(r'in "<unicode string>", (line \d+, column \d+)', lines[-1]):
        return f"the configuration is no valid YAML, at {place[1]}"
    keys = [match[1] for line in lines if (match := re.search(r'Parser key "([^"]+)":', line))]
    reason = max(lines, key=lambda line: len(line) - len(line.lstrip(" -"))).strip(" -")
    reason = re.sub(r'^Parser key "[^"]+":\s*', "", reason)
    reason = re.sub(r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1", reason)
    reason = re.sub(r"Expected an? <class '([\w.]+)'>", r"expected \1", reason)
    reason += suggestion(reason)
    return f"--{'.'.join(keys)}: {reason}" if keys else reason
