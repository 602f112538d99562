"""The folder of a run: the paths in it, and how it is created, locked and found again."""

import fcntl
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fractalgan.errors import InputError
from fractalgan.storage.atomic import TEMPORARY_SUFFIX

log = logging.getLogger(__name__)

RUNS = Path("runs")
LOCK = ".lock"
EVENTS_PREFIX = "events.out.tfevents."
WANDB = "wandb"  # the folder of Weights & Biases


class RunFolder:
    """The paths of one run's folder; nothing is created before it is written.

    ``config.yaml``, ``environment.json``, ``metrics.jsonl``, ``summary.json``, ``evaluations.jsonl``,
    ``trackers.json``,
    ``checkpoints/{best,last}.ckpt``, ``figures/``, ``predictions/``, TensorBoard events, and
    ``fractals.safetensors`` for a run that rebuilds images or that is trained on learned fractals, and
    ``backbone.safetensors`` for one that trains a network.

    Args:
        path: the folder.

    Attributes:
        is_new: whether this program has created the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_new = False
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.summary = path / "summary.json"
        self.environment = path / "environment.json"
        self.evaluations = path / "evaluations.jsonl"
        self.trackers = path / "trackers.json"
        self.figures = path / "figures"
        self.predictions = path / "predictions"
        self.fractals = path / "fractals.safetensors"
        self.backbone = path / "backbone.safetensors"
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def periodic(self, step: int) -> Path:
        """The checkpoint that is kept after a step: ``checkpoints/step_001000.ckpt``."""
        return self.checkpoints / f"step_{step:06d}.ckpt"

    def checkpoint(self, name: str) -> Path:
        """The path of the checkpoint "last" or "best".

        Of a run with other checkpoints last.ckpt may be missing: another one takes its place on resuming.

        Raises:
            InputError: if the run does not have it.
        """
        if not self.path.is_dir():
            raise InputError(f"run folder {self} does not exist: set --run to an existing one")
        if self.last_saved() is None:
            raise InputError(f"{self} has no checkpoints: set another --run")
        if name == "best" and not self.best.is_file():
            raise InputError(
                f"{self} has no best.ckpt yet: set --ckpt_path to last, or to a file in {self.checkpoints}"
            )
        return {"last": self.last, "best": self.best}[name]

    def last_saved(self) -> int | None:
        """When the newest checkpoint was written, in nanoseconds; None if there are none."""
        return max((path.stat().st_mtime_ns for path in self.checkpoints.glob("*.ckpt")), default=None)

    def has_events(self) -> bool:
        """Whether TensorBoard events have been written here."""
        return any(self.path.glob(f"{EVENTS_PREFIX}*"))

    def is_empty(self) -> bool:
        """Whether no run has started here; what loggers create first and unfinished files do not count."""
        return all(
            path.name.startswith(EVENTS_PREFIX)
            or path.name in (LOCK, WANDB, self.config.name + TEMPORARY_SUFFIX)
            for path in self.path.iterdir()
        )

    def discard_if_empty(self) -> None:
        """Remove the folder of a run that never started, if this program has created it."""
        if self.is_new and self.path.is_dir() and self.is_empty():
            shutil.rmtree(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other programs from writing here within the context, or until this program dies.

        Raises:
            InputError: if another program has locked the folder.
        """
        with (self.path / LOCK).open("a") as file:
            try:  # not flock: forked processes keep it, and some network file systems lack it
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise InputError(
                    f"another program is writing to {self}: wait for it, or set another --run"
                ) from None
            except OSError:
                log.warning("the file system of %s has no locks: start one program at a time there", self)
            yield

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Create the folder, or take an empty one.

        Raises:
            InputError: if it has content already, or cannot be created.
        """
        folder = cls(path)
        try:
            folder.is_new = not path.exists()
            path.mkdir(parents=True, exist_ok=True)
            occupied = not folder.is_empty()
        except OSError as error:
            reason = f"cannot create the run folder {path}: {error.strerror}"
            raise InputError(f"{path} is a file: set another --run" if path.is_file() else reason) from error
        if occupied:
            raise InputError(f"{path} is not empty: set another --run")
        return folder

    @classmethod
    def create_next(cls, stem: str) -> "RunFolder":
        """Create runs/<stem>-<n> with the lowest free n above all others.

        Raises:
            InputError: if it cannot be created.
        """
        number = max((n for n, _ in _numbered(stem)), default=0)
        while True:
            number += 1
            folder = cls(RUNS / f"{stem}-{number}")
            try:
                folder.path.mkdir(parents=True)
            except FileExistsError:  # another program was faster
                continue
            except OSError as error:
                raise InputError(f"cannot create the run folder {folder}: {error.strerror}") from error
            folder.is_new = True
            return folder

    @classmethod
    def newest(cls, stem: str | None = None) -> "RunFolder":
        """The run in runs/ that saved last.

        Args:
            stem: only runs named <stem>-<n>; None takes all.

        Raises:
            InputError: if no run has saved a checkpoint.
        """
        paths = RUNS.glob("*") if stem is None else (path for _, path in _numbered(stem))
        saved = {when: folder for folder in map(cls, paths) if (when := folder.last_saved()) is not None}
        if not saved:
            named = f"{RUNS}/" if stem is None else f"{RUNS}/{stem}-*"
            raise InputError(f"no run in {named} has saved a checkpoint: set --run to the folder of one")
        return saved[max(saved)]

    @classmethod
    def of_checkpoint(cls, path: Path) -> "RunFolder | None":
        """The run that a checkpoint belongs to; None if it is not in a run folder."""
        folder = cls(path.parent.parent)
        return folder if path.parent.name == folder.checkpoints.name and folder.config.is_file() else None


def _numbered(stem: str) -> list[tuple[int, Path]]:
    matches = ((re.fullmatch(re.escape(stem) + r"-(\d+)", path.name), path) for path in RUNS.glob("*-*"))
    return [(int(match[1]), path) for match, path in matches if match and path.is_dir()]
