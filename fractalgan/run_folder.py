"""The folder of a run: what lies where, and how it is found again."""

import os
import re
import shutil
from pathlib import Path

from fractalgan.errors import InputError

RUNS = Path("runs")
EVENTS = "events.out.tfevents."


class RunFolder:
    """Paths inside one run's folder; nothing is made before it is written.

    ``config.yaml``, ``metrics.jsonl``, ``summary.json``, ``checkpoints/{best,last}.ckpt``, ``figures/``,
    TensorBoard's events, and ``fractals.safetensors`` where it learns from what learned fractals draw.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.summary = path / "summary.json"
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

    def discard_if_empty(self) -> None:
        """Remove the folder of a run that never began; TensorBoard may have opened its file there."""
        if self.path.is_dir() and all(path.name.startswith(EVENTS) for path in self.path.iterdir()):
            shutil.rmtree(self.path)

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Make an empty folder. Raises InputError where there is something already."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            occupied = any(path.iterdir())
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
        saved = [folder for _, path in _numbered(stem) if (folder := cls(path)).last.is_file()]
        if not saved:
            raise InputError(f"no run in {RUNS}/ to go on with: give its folder as --run")
        return max(saved, key=lambda folder: folder.last.stat().st_mtime)

    @classmethod
    def of_checkpoint(cls, path: Path) -> "RunFolder | None":
        """The run that a checkpoint lies in; None where it lies in no run's folder."""
        folder = cls(path.parent.parent)
        return folder if path.parent.name == folder.checkpoints.name else None


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: beside its place, then moved there."""
    beside = path.with_suffix(".tmp")
    beside.write_text(text)
    os.replace(beside, path)


def _numbered(stem: str | None) -> list[tuple[int, Path]]:
    name = r".+" if stem is None else re.escape(stem)
    matches = ((re.fullmatch(name + r"-(\d+)", path.name), path) for path in RUNS.glob("*-*"))
    return [(int(match[1]), path) for match, path in matches if match and path.is_dir()]
