"""MLflow and Weights & Biases as loggers that can be resumed without missing or repeated values."""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pytorch_lightning.loggers import MLFlowLogger, WandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment

from fractalgan.callbacks.loggers import last_steps
from fractalgan.distributed import rank_zero_only
from fractalgan.errors import InputError
from fractalgan.storage import RunFolder, atomic_write

PROJECT = "fractalgan"  # the experiment of MLflow and the project of Weights & Biases, by default
LAST_STEPS = "wandb's last steps"  # an entry of trackers.json
NOT_LOGGED = "epoch"  # training counts steps


class MLflowTracker(MLFlowLogger):
    """Logs to one MLflow run, which a resumed run continues.

    Runs are where MLflow itself looks for them: at ``MLFLOW_TRACKING_URI``, or in the local store that
    ``mlflow ui`` shows. ``trackers.json`` in the run folder has the id of the MLflow run.

    Args:
        run: the run folder.

    Raises:
        InputError: if MLflow does not accept its tracking URI.
    """

    def __init__(self, run: RunFolder) -> None:
        import mlflow

        self.folder = run
        self.known = _recorded(run, "mlflow")
        self.last_steps: dict[str, int] = {}  # of each metric in the MLflow run that is continued
        given = os.environ.get("MLFLOW_TRACKING_URI")
        self.uri = given or self.known.get("tracking_uri") or mlflow.get_tracking_uri()
        self.is_local = not given  # a URI that is given may contain a password
        with self._explained():
            super().__init__(
                experiment_name=os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT),
                run_name=run.path.resolve().name,
                tracking_uri=self.uri,
                run_id=self.known.get("run_id"),
            )

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The MlflowClient.

        Raises:
            InputError: if there is no server, or no such run.
        """
        with self._explained():
            return super().experiment

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Log those that the MLflow run does not have yet: MLflow does not let a parameter change."""
        client, run_id = self.experiment, str(self.run_id)
        _record(self.folder, "mlflow", run_id=run_id, **({"tracking_uri": self.uri} if self.is_local else {}))
        if self.known:
            client.update_run(run_id, status="RUNNING")
        there = client.get_run(run_id).data.params
        super().log_hyperparams({name: value for name, value in params.items() if name not in there})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        new = {
            name: value
            for name, value in metrics.items()
            if name != NOT_LOGGED and (step or 0) > self._last_step(name)
        }
        if new:
            super().log_metrics(new, step)

    def _last_step(self, name: str) -> int:
        """The last step of a metric in the MLflow run when this program started; -1 for none."""
        if self.known and name not in self.last_steps:
            history = self.experiment.get_metric_history(self.run_id, name)
            self.last_steps[name] = max((each.step for each in history), default=-1)
        return self.last_steps.get(name, -1)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            remedy = "set MLFLOW_TRACKING_URI" if self.is_local else "check MLFLOW_TRACKING_URI"
            if self.known:
                remedy += f", or remove {self.folder.trackers} to start a new MLflow run"
            raise InputError(f"MLflow: {error.message.rstrip('.')}: {remedy}") from error


class WandbTracker(WandbLogger):
    """Logs to one run of Weights & Biases, which a resumed run continues.

    Its files are in the run folder, unless ``WANDB_DIR`` is set. ``trackers.json`` has its id, its project,
    and the last step of each value that it has: it has no history to ask for while it is offline.

    Args:
        run: the run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        self.folder = run
        self.known = _recorded(run, "wandb")
        earlier = _recorded(run, LAST_STEPS, int)
        newer = last_steps(run.metrics) if self.known else {}  # whose last rows are dropped on resuming
        self.last_steps = {
            name: max(each.get(name, -1) for each in (earlier, newer)) for name in earlier | newer
        }
        super().__init__(
            name=run.path.resolve().name,
            save_dir=os.environ.get("WANDB_DIR", str(run.path)),
            project=self.known.get("project") or os.environ.get("WANDB_PROJECT", PROJECT),
            id=self.known.get("id") or uuid.uuid4().hex[:8],
        )

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The run of wandb.

        Raises:
            InputError: if wandb cannot start it, for example because nobody is logged in.
        """
        import wandb

        try:
            return super().experiment
        except wandb.Error as error:
            remedy = "run `wandb login`, or set WANDB_MODE=offline"
            raise InputError(f"Weights & Biases: {str(error).rstrip('.')}: {remedy}") from error

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        _record(self.folder, "wandb", id=str(self.experiment.id), project=str(self.name))
        if self.last_steps:
            _record(self.folder, LAST_STEPS, **self.last_steps)
        super().log_hyperparams(params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        new = {
            name: value
            for name, value in metrics.items()
            if name != NOT_LOGGED and (step or 0) > self.last_steps.get(name, -1)
        }
        if new:
            super().log_metrics(new, step)


def _recorded(run: RunFolder, service: str, kind: type = str) -> dict[str, Any]:
    """What trackers.json says about the run of a service, values of one kind; nothing for a new one."""
    try:
        content = json.loads(run.trackers.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        content = None
    known = content.get(service, {}) if isinstance(content, dict) else None
    if not isinstance(known, dict) or not all(isinstance(each, kind) for each in known.values()):
        raise InputError(f"{run.trackers} is damaged: remove it to start a new run of {service}")
    return known


def _record(run: RunFolder, service: str, **values: str | int) -> None:
    try:
        content = json.loads(run.trackers.read_text())
    except FileNotFoundError:
        content = {}
    if content.get(service) != values:
        atomic_write(run.trackers, json.dumps(content | {service: values}, indent=2) + "\n")
