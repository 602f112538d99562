"""Loggers that can be resumed without missing or repeated rows."""

import json
import os
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from torch.utils.tensorboard.summary import hparams

from fractalgan.distributed import rank_zero_only
from fractalgan.storage import RunFolder, atomic_write


class JsonLinesLogger(Logger):
    """Appends one JSON object ``{"step": ..., "<metric>": ...}`` per logged step to metrics.jsonl.

    Args:
        run: the run folder.
        resume_step: the step that the run is resumed at; rows after it, left by a run that died after its
            last checkpoint, are dropped, and so is an incomplete last row. None for a new run.
    """

    def __init__(self, run: RunFolder, resume_step: int | None = None) -> None:
        super().__init__()
        self.path = run.metrics
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
        if self.resume_step is not None:  # not earlier: the run may still fail to start
            self._rewind(self.resume_step)
            self.resume_step = None
        row = {"step": step} | {name: value for name, value in metrics.items() if name != "epoch"}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a checkpoint on disk must not lack its rows

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Hyper-parameters are in config.yaml."""

    def _rewind(self, step: int) -> None:
        if not self.path.exists():
            return
        kept = [line for line in self.path.read_text().splitlines() if _step_of(line) <= step]
        atomic_write(self.path, "".join(line + "\n" for line in kept))


def last_steps(path: Path) -> dict[str, int]:
    """The last step at which each value was logged.

    Args:
        path: a metrics.jsonl, which need not exist.
    """
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines if _step_of(line) < float("inf")]
    return {name: row["step"] for row in rows for name in row if name != "step"}


def _step_of(line: str) -> float:
    """The step of a row; infinity for an incomplete one."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


class EventsLogger(TensorBoardLogger):
    """Writes TensorBoard events directly to the run folder; on resuming, later events are hidden.

    The hyper-parameters are written once, for the HPARAMS tab: TensorBoard shows the first it finds of a run.

    Args:
        run: the run folder.
        resume_step: the step that the run is resumed at; None for a new run.
    """

    def __init__(self, run: RunFolder, resume_step: int | None = None) -> None:
        purge: dict[str, Any] = {} if resume_step is None else {"purge_step": resume_step + 1}
        super().__init__(run.path.parent, name=run.path.name, version="", default_hp_metric=False, **purge)
        self.describes_run = not run.has_events()  # whether the hyper-parameters are still to be written

    @rank_zero_only
    def log_hyperparams(
        self, params: Any, metrics: dict[str, Any] | None = None, step: int | None = None
    ) -> None:
        """Write the hyper-parameters of a new run.

        Without the list of columns that Lightning adds, which would hold for all runs that TensorBoard
        compares: so it shows the hyper-parameters and metrics of each.
        """
        if self.describes_run:
            _, session, _ = hparams(params, {})  # type: ignore[no-untyped-call]
            self.experiment.file_writer.add_summary(session, 0)
            self.describes_run = False

    @rank_zero_only
    def save(self) -> None:
        """Flush the events; there is no hparams.yaml, as there is a config.yaml."""
        self.experiment.flush()
