"""What a run was started with: command line, versions, hardware."""

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from fractalgan import __version__
from fractalgan.ops import render_threads
from fractalgan.storage.atomic import atomic_write

# The packages that the results of a run depend on.
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "torchmetrics", "numpy", "numba", "triton")

GIT_TIMEOUT = 10  # seconds: the repository may be on a slow disk


def record_start(path: Path, **extra: Any) -> None:
    """Append one start of a run to a JSON file.

    Args:
        path: the file, a list of starts.
        extra: entries beside command line, versions and hardware.
    """
    starts = _read(path)
    starts.append({"started": datetime.now(UTC).isoformat(timespec="seconds")} | extra | _describe())
    atomic_write(path, json.dumps(starts, indent=2) + "\n")


def _describe() -> dict[str, Any]:
    return {
        "command": shlex.join(sys.orig_argv),
        "folder": os.getcwd(),
        "fractalgan": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": {"torch": torch.get_num_threads(), "drawing": render_threads()},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this code, with "-changed" if its files differ; None outside of its repository."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)  # fails in somebody else's repository
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-changed" if changed else commit


def _git(*command: str) -> str:
    git = ["git", "-C", str(Path(__file__).parent), *command]
    return subprocess.run(git, capture_output=True, text=True, timeout=GIT_TIMEOUT, check=True).stdout.strip()


def _read(path: Path) -> list[Any]:
    """The starts so far; an empty list if the file is missing, damaged, or not a list."""
    try:
        starts = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return starts if isinstance(starts, list) else []
