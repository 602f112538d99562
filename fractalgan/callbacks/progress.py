"""A progress bar that counts steps, with the time left, the images per second, and the losses."""

import sys
import time
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fractalgan.tasks import Task
from fractalgan.tasks.protocols import datamodule_of

FIRST_LINE, EVERY_LINE = 10.0, 60.0  # seconds, in a log file


class StepProgress(ProgressBar):
    """Shows one progress bar for all of ``fit``, and one for each other verb.

    Where stderr is not a terminal, as in a log file, it prints lines instead: one after each validation, one
    ten seconds after the start, and one whenever a minute has passed without any.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._enabled = True
        self._started = 0.0
        self._first_step = 0
        self._batches = 0
        self._validating = 0.0  # seconds in validations that have ended
        self._next_line = 0.0  # when one is due in a log file

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    # -- fit ------------------------------------------------------------------------------------

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started, self._first_step = time.monotonic(), trainer.global_step
        self._batches, self._validating = 0, 0.0
        self._next_line = self._started + FIRST_LINE
        self._open("fit", trainer.max_steps if trainer.max_steps > 0 else None, trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._batches += 1
        if self._bar:
            self._bar.update(self._task, completed=trainer.global_step, numbers=self._numbers(trainer))
        elif time.monotonic() >= self._next_line:
            self._print_line(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        self._validating += time.monotonic()
        if self._bar is None:
            self._print_line(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    # -- the other verbs ------------------------------------------------------------------------

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate":
            self._open("validate", sum(trainer.num_val_batches))
        elif trainer.state.fn == "fit":
            self._validating -= time.monotonic()

    def on_validation_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.state.fn == "validate":
            self._advance()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._open("test", sum(trainer.num_test_batches))

    def on_test_batch_end(self, *args: Any) -> None:
        self._advance()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._open("predict", sum(trainer.num_predict_batches))

    def on_predict_batch_end(self, *args: Any) -> None:
        self._advance()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()

    # -- the bar --------------------------------------------------------------------------------

    def _open(self, verb: str, total: float | None, completed: int = 0) -> None:
        if not (self._enabled and self.trainer.is_global_zero and sys.stderr.isatty()):
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left  {task.fields[numbers]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(verb, total=total, completed=completed, numbers="")
        self._bar.start()

    def _advance(self) -> None:
        if self._bar:
            self._bar.advance(self._task)

    def _close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _numbers(self, trainer: Trainer) -> str:
        """Speed and metrics logged for the bar: "920 images/s  discriminator_loss 1.31"."""
        metrics = trainer.progress_bar_metrics
        numbers = [f"{name.rpartition('/')[2]} {_short(value)}" for name, value in metrics.items()]
        return "  ".join([*self._speed(trainer), *numbers])

    def _speed(self, trainer: Trainer) -> list[str]:
        """The images that all processes were trained on per second: ["1,204 images/s"]."""
        batch_size = getattr(datamodule_of(trainer), "batch_size", None)
        task = trainer.lightning_module
        if batch_size is None or not isinstance(task, Task) or not task.trains_on_batches:
            return []
        seconds = time.monotonic() - self._started - self._validating
        return [f"{self._batches * batch_size * trainer.world_size / seconds:,.0f} images/s"]

    def _print_line(self, trainer: Trainer) -> None:
        if self._enabled:
            print(self._line(trainer), file=sys.stderr, flush=True)
        self._next_line = time.monotonic() + EVERY_LINE

    def _line(self, trainer: Trainer) -> str:
        done = trainer.global_step
        seconds_per_step = (time.monotonic() - self._started) / max(done - self._first_step, 1)
        total, left = "", ""
        if trainer.max_steps > 0:
            minutes, seconds = divmod(round(seconds_per_step * (trainer.max_steps - done)), 60)
            total, left = f" of {trainer.max_steps}", f"  {minutes}:{seconds:02d} left"
        return f"step {done}{total}{left}  {self._numbers(trainer)}"


def _short(value: float | torch.Tensor) -> str:
    """An integer as it is, any other number with three decimals."""
    number = float(value)
    return f"{number:.0f}" if number.is_integer() else f"{number:.3f}"
