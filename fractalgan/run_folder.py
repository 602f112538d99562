"""The folder of a run: what lies where, and how it is found again."""

import fcntl
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fractalgan.errors import InputError
from fractalgan.whole_file import SUFFIX

log = logging.getLogger("fractalgan")

RUNS = Path("runs")
LOCK = ".lock"
EVENTS = "events.out.tfevents."


class RunFolder:
    """Paths inside one run's folder; nothing is made before it is written.

    ``config.yaml``, ``environment.json``, ``metrics.jsonl``, ``summary.json``,
    ``checkpoints/{best,last}.ckpt``, ``figures/``, TensorBoard's events, and ``fractals.safetensors`` where
    it learns from what learned fractals draw.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.summary = path / "summary.json"
        self.environment = path / "environment.json"
        self.evaluations = path / "evaluations.jsonl"
        self.figures = path / "figures"
        self.predictions = path / "predictions"
        self.fractals = path / "fractals.safetensors"
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"

    def __str__(self) -> str:
        return str(self.path)

    def checkpoint(self, name: str) -> Path:
        """The file of the checkpoint "last" or "best". Raises InputError where the run has not saved it."""
        if not self.path.is_dir():
            raise InputError(f"no run folder {self}")
        path = {"last": self.last, "best": self.best}[name]
        if not path.is_file():
            raise InputError(f"{self} holds no {path.name}: it ended before its first validation")
        return path

    def last_saved(self) -> int | None:
        """When the last checkpoint was written, in nanoseconds; None where there is none."""
        return self.last.stat().st_mtime_ns if self.last.is_file() else None

    def is_empty(self) -> bool:
        """Whether no run began here; TensorBoard may have opened its file, or a first file be unfinished."""
        return all(
            path.name.startswith(EVENTS) or path.name in (LOCK, self.config.name + SUFFIX)
            for path in self.path.iterdir()
        )

    def discard_if_empty(self) -> None:
        """Remove the folder of a run that never began."""
        if self.path.is_dir() and self.is_empty():
            shutil.rmtree(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other programs from writing here; the system ends that with the program, however it dies.

        Raises InputError where another one is at it.
        """
        with (self.path / LOCK).open("a") as file:
            try:  # not flock, which forked processes keep, and which some network disks lack
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise InputError(
                    f"another program is writing to {self}: wait for it, or give another --run"
                ) from None
            except OSError:
                log.warning("the disk of %s knows no locks: see to it that one program writes there", self)
            yield

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Make an empty folder. Raises InputError where there is something already."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            occupied = not cls(path).is_empty()
        except OSError as error:
            raise InputError(f"cannot make the run folder {path}: {error.strerror}") from error
        if occupied:
            raise InputError(
                f"{path} holds a run already: go on with it by --ckpt_path last, or give another --run"
            )
        return cls(path)

    @classmethod
    def create_next(cls, stem: str) -> "RunFolder":
        """Make runs/<stem>-<n> with the first n that is free, whoever else is making one."""
        number = max((n for n, _ in _numbered(stem)), default=0)
        while True:
            number += 1
            path = RUNS / f"{stem}-{number}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise InputError(f"cannot make the run folder {path}: {error.strerror}") from error
            return cls(path)

    @classmethod
    def newest(cls, stem: str | None = None) -> "RunFolder":
        """The run in runs/ (of the name <stem>-<n>, if given) that has saved last; InputError for none."""
        paths = RUNS.glob("*") if stem is None else (path for _, path in _numbered(stem))
        saved = [folder for path in paths if (folder := cls(path)).last.is_file()]
        if not saved:
            named = f"{RUNS}/" if stem is None else f"{RUNS}/{stem}-..."
            raise InputError(f"no run in {named} has saved anything to go on with: give its folder as --run")
        return max(saved, key=lambda folder: folder.last.stat().st_mtime)

    @classmethod
    def of_checkpoint(cls, path: Path) -> "RunFolder | None":
        """The run that a checkpoint lies in; None where it lies in no run's folder."""
        folder = cls(path.parent.parent)
        return folder if path.parent.name == folder.checkpoints.name and folder.config.is_file() else None


def _numbered(stem: str) -> list[tuple[int, Path]]:
    matches = ((re.fullmatch(re.escape(stem) + r"-(\d+)", path.name), path) for path in RUNS.glob("*-*"))
    return [(int(match[1]), path) for match, path in matches if match and path.is_dir()]
