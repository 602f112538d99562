"""The loggers of `fit`: those that --trainer.logger names."""

from typing import Any, Literal

from jsonargparse import Namespace
from pytorch_lightning.loggers import Logger

from fractalgan.callbacks import EventsLogger, JsonLinesLogger, MLflowTracker, WandbTracker
from fractalgan.cli.linked_options import as_typed, value_as_typed
from fractalgan.cli.yaml_text import flat_options, load_yaml
from fractalgan.distributed import is_rank_zero
from fractalgan.errors import require_extra
from fractalgan.storage import RunFolder

LoggerName = Literal["tensorboard", "mlflow", "wandb"]
LoggerOption = bool | LoggerName | Logger | list[LoggerName | Logger] | None
LOGGER_HELP = "tensorboard, mlflow, wandb, a list of them, a class of Logger, or false; default: tensorboard."

TRACKERS = ("mlflow", "wandb")  # which are extras of their names

# Options of the Trainer that are logged as hyper-parameters; most others do not change what is learned.
LOGGED_TRAINER_OPTIONS = ("trainer.max_steps", "trainer.precision")


def check_loggers(trainer: Namespace) -> None:
    """Raise InputError for a logger whose package is not installed."""
    for name in TRACKERS:
        if name in _listed(trainer.logger):
            require_extra(name, f"--trainer.logger {name}")


def fit_loggers(trainer: Namespace, run: RunFolder, resume_step: int | None) -> Any:
    """metrics.jsonl, and TensorBoard events or the loggers that are named; False for none.

    Raises:
        InputError: for a logger that cannot be resumed.
    """
    if trainer.logger is False:
        return False
    rows = JsonLinesLogger(run, resume_step)
    named: list[Any] = ["tensorboard"] if trainer.logger in (None, True) else _listed(trainer.logger)
    if not is_rank_zero():  # several processes would create MLflow's local store at once
        named = [each for each in named if each not in TRACKERS]
    return [rows, *(_logger(each, run, resume_step) for each in named)]


def logged_options(config: str) -> dict[str, str | float]:
    """The options of a run as hyper-parameters: of the task, the data and the training, as they are typed.

    Args:
        config: the content of config.yaml.
    """
    return {
        as_typed(name).removesuffix(".class_path"): value
        if type(value) in (int, float)
        else value_as_typed(value)
        for name, value in flat_options(load_yaml(config)).items()
        if name.startswith(("model.", "data.", "seed_everything")) or name in LOGGED_TRAINER_OPTIONS
    }


def _logger(given: LoggerName | Logger, run: RunFolder, resume_step: int | None) -> Logger:
    match given:
        case "tensorboard":
            return EventsLogger(run, resume_step)
        case "mlflow":
            return MLflowTracker(run)
        case "wandb":
            return WandbTracker(run)
        case _:
            return given


def _listed(value: Any) -> list[Any]:
    return list(dict.fromkeys(value)) if isinstance(value, list) else [value]
