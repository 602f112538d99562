"""The Trainer of a command: its options checked, our plugins and callbacks added."""

from collections.abc import Sequence
from typing import Any

from jsonargparse import Namespace
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.plugins import CheckpointIO
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.strategies import DDPStrategy, Strategy, StrategyRegistry
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from fractalgan import callbacks as ours
from fractalgan.callbacks import StepProgress
from fractalgan.cli.device import check_device
from fractalgan.cli.did_you_mean import did_you_mean_name
from fractalgan.errors import InputError, require_at_least
from fractalgan.storage import AtomicCheckpointIO, RunFolder
from fractalgan.tasks import Task

FULL_16_BITS = ("bf16-true", "16-true", "transformer-engine")

# Options of the Trainer without effect here, and why.
WITHOUT_EFFECT = {
    "max_epochs": "training counts steps: set --trainer.max_steps",
    "min_epochs": "training counts steps: set --trainer.min_steps",
    "limit_train_batches": "training data is an endless stream: set --trainer.max_steps",
    "overfit_batches": "training data is an endless stream: use fewer images",
    "check_val_every_n_epoch": "training counts steps: set --trainer.val_check_interval",
    "reload_dataloaders_every_n_epochs": "training data is an endless stream",
}

# Options of the Trainer that manual optimization does not follow: neutral values, and what to do instead.
MANUAL = {
    "gradient_clip_val": ((None, 0), "leave it out"),
    "accumulate_grad_batches": ((1,), "set --data.batch_size"),
}


def check_trainer(trainer: Namespace) -> None:
    """Check what Lightning would accept and fail with later.

    Raises:
        InputError: for the first invalid option.
    """
    check_device(trainer)
    if str(trainer.precision) in FULL_16_BITS:
        raise InputError(
            "--trainer.precision must be 32-true, 16-mixed or bf16-mixed, as fractals need 32 bits,"
            f" got {trainer.precision}"
        )
    strategies = {"auto", *StrategyRegistry.available_strategies()}
    if isinstance(trainer.strategy, str) and trainer.strategy.lower() not in strategies:
        hint = did_you_mean_name(trainer.strategy, strategies, cutoff=0.5) or ": use auto or ddp"
        raise InputError(f"--trainer.strategy: there is no strategy {trainer.strategy}{hint}")


def check_manual_optimization(trainer: Namespace, task: Task) -> None:
    """Raise InputError for options that need Lightning's automatic optimization, where a task has none."""
    for name, (off, remedy) in MANUAL.items():
        if not task.automatic_optimization and trainer.get(name) not in off:
            raise InputError(
                f"--trainer.{name} has no effect: {type(task).__name__} has manual optimization: {remedy}"
            )


def check_steps(trainer: Namespace, resume_step: int | None) -> None:
    """Check the options that say how long `fit` trains.

    Raises:
        InputError: for the first invalid option.
    """
    for name, reason in WITHOUT_EFFECT.items():
        value = trainer.get(name)
        no_limit = isinstance(value, float) and value in (0.0, 1.0)  # as a share; 1 would be one batch
        if not (value is None or no_limit or value in (-1, 0)):
            raise InputError(f"--trainer.{name} has no effect: {reason}")
    interval = trainer.val_check_interval
    if not isinstance(interval, int) or interval < 1:
        raise InputError(f"--trainer.val_check_interval must be a number of steps >= 1, got {interval}")
    if trainer.max_steps == -1 and trainer.max_time is None:
        raise InputError(
            "the length of the training is not set: set --trainer.max_steps or --trainer.max_time"
        )
    if trainer.max_steps != -1:
        require_at_least(1, **{"--trainer.max_steps": trainer.max_steps})
        trainer.val_check_interval = min(interval, trainer.max_steps)
    if resume_step is not None and 0 <= trainer.max_steps <= resume_step:
        raise InputError(f"the checkpoint is at step {resume_step} already: set a larger --trainer.max_steps")


def build_trainer(
    trainer: Namespace, task: Task, callbacks: Sequence[Callback] = (), loggers: Any = False, **given: Any
) -> Trainer:
    """A Trainer with these options.

    Args:
        trainer: the options, with callbacks, loggers and plugins instantiated.
        task: what is trained or evaluated.
        callbacks: are added to those of the options.
        loggers: replace those of the options.
        given: arguments that override the options.

    Raises:
        InputError: for options that Lightning refuses, such as a device that does not exist.
    """
    options: dict[str, Any] = vars(trainer) | given
    options["callbacks"] = [*_as_list(trainer.callbacks), *callbacks]
    options["logger"] = loggers
    if trainer.enable_progress_bar is not False:
        options["callbacks"].append(StepProgress())
    try:
        options["plugins"] = _plugins(_as_list(trainer.plugins))
        options["strategy"] = _strategy(options, task)
        return Trainer(**options)
    except (ValueError, ImportError, RuntimeError, MisconfigurationException) as error:
        raise InputError(f"the Trainer cannot be created: {error}") from error


def task_callbacks(task: Task, run: RunFolder) -> list[Callback]:
    """The callbacks that a task asks for by name."""
    return [getattr(ours, name)(run) for name in task.callbacks]


def _plugins(given: list[Any]) -> list[Any]:
    """Atomic checkpoints, and no requeueing by Lightning, which would save in the middle of a step."""
    plugins = list(given)
    if not any(isinstance(each, CheckpointIO) for each in plugins):
        plugins.append(AtomicCheckpointIO())
    if SLURMEnvironment.detect() and not any(isinstance(each, SLURMEnvironment) for each in plugins):
        plugins.append(SLURMEnvironment(auto_requeue=False))
    return plugins


def _strategy(options: dict[str, Any], task: Task) -> str | Strategy:
    """The strategy of the options; DDP does not broadcast buffers where every rank has rows of its own."""
    strategy: str | Strategy = options["strategy"]
    if task.broadcast_buffers or strategy not in ("auto", "ddp"):
        return strategy
    if strategy == "auto":
        names = ("accelerator", "devices", "num_nodes", "precision")
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        chosen = Trainer(**{name: options[name] for name in names}, **quiet).strategy  # type: ignore[arg-type]
        if not isinstance(chosen, DDPStrategy):
            return strategy
    return DDPStrategy(broadcast_buffers=False)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
