"""What a run was made with: command line, versions, machine; a record of every start."""

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
from fractalgan.whole_file import write_whole

# Those that the numbers of a run depend on.
PACKAGES = ("torch", "torchvision", "pytorch-lightning", "torchmetrics", "numpy", "numba", "triton")

PATIENCE = 10  # seconds for git, whose folder may lie on a slow disk


def record_start(path: Path, **known: Any) -> None:
    """Append what this program runs with, and what is ``known`` besides, to the starts in a JSON file."""
    starts = _read(path)
    starts.append({"started": datetime.now(UTC).isoformat(timespec="seconds")} | known | _describe())
    write_whole(path, json.dumps(starts, indent=2) + "\n")


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
    """The commit of the code that runs, with "-changed" where files differ; null where there is none."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)  # or it lies in somebody else's work
        commit, changed = (
            _git("rev-parse", "HEAD"),
            _git("status", "--porcelain", "--untracked-files=no", "."),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-changed" if changed else commit


def _git(*command: str) -> str:
    git = ["git", "-C", str(Path(__file__).parent), *command]
    return subprocess.run(git, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.strip()


def _read(path: Path) -> list[Any]:
    """The starts so far; none where the file is not there, or is no longer ours."""
    try:
        starts = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return starts if isinstance(starts, list) else []
