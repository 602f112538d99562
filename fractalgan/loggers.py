"""Loggers that can go on after an interruption without a gap or a double row."""

import json
import os
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import (  # type: ignore[attr-defined]
    Logger,
    rank_zero_experiment,
)

from fractalgan.ranks import rank_zero_only
from fractalgan.whole_file import write_whole


class JsonLinesLogger(Logger):
    """One JSON object a line, ``{"step": ..., "<metric>": ...}``, appended as the numbers come.

    Args:
        path: the file.
        resume_step: the step that the run is resumed at, if it is; rows past it, left by a run that
            died after its last checkpoint, are dropped, as is a half-written last line.
    """

    def __init__(self, path: Path, resume_step: int | None = None) -> None:
        super().__init__()
        self.path = path
        self.resume_step = resume_step

    @property
    def name(self) -> str:
        return "json-lines"

    @property
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> None:
        """There is no object behind this logger."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.resume_step is not None:  # not before: the run may yet fail to begin
            self._rewind(self.resume_step)
            self.resume_step = None
        row = {"step": step} | {name: value for name, value in metrics.items() if name != "epoch"}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())  # as checkpoints are: one must not be there without its rows

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """They are in config.yaml."""

    def _rewind(self, step: int) -> None:
        if not self.path.exists():
            return
        kept = [line for line in self.path.read_text().splitlines() if _step_of(line) <= step]
        write_whole(self.path, "".join(line + "\n" for line in kept))


def _step_of(line: str) -> float:
    """The step of a row; infinity for a line that was cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


class EventsLogger(TensorBoardLogger):
    """TensorBoard events straight in ``folder``; on resume, what lies past the step is hidden."""

    def __init__(self, folder: Path, resume_step: int | None = None) -> None:
        purge: dict[str, Any] = {} if resume_step is None else {"purge_step": resume_step + 1}
        super().__init__(folder.parent, name=folder.name, version="", default_hp_metric=False, **purge)

    @rank_zero_only
    def save(self) -> None:
        """Flush the events; Lightning's own also writes the options again, which config.yaml has."""
        self.experiment.flush()
