"""Signals that end a run in an orderly way: finish the batch, save, and stop."""

import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

log = logging.getLogger(__name__)

Receiver = Callable[[int, FrameType | None], None]


def set_handlers(receive: Receiver) -> dict[signal.Signals, Any]:
    """Let ``receive`` handle the signals that stop a run, but for those that are ignored, as under nohup.

    Returns:
        The handlers of before, none outside of the main thread, which alone can set them.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    handled = [number for number in stopping if signal.getsignal(number) != signal.SIG_IGN]
    return {number: signal.signal(number, receive) for number in handled}


def restore_handlers(before: dict[signal.Signals, Any]) -> None:
    """Set the handlers that :func:`set_handlers` returned."""
    for number, handler in before.items():
        signal.signal(number, handler)


class GracefulStop(Callback):
    """Stops the run after the current batch on Ctrl-C, SIGTERM, SIGHUP, or SLURM's SIGUSR1.

    A second signal takes effect at once.

    Attributes:
        signal_name: the signal that this rank or another one has received; None if there was none.
        has_started: whether the training has begun.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self.has_started = False
        self._handlers: dict[signal.Signals, Any] = {}  # of before

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.has_started = True
        self._handlers = set_handlers(self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name
        self._restore_handlers()
        log.info("%s: stopping after this batch; send it again to stop immediately", self.signal_name)

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        # only some ranks may have received the signal: all stop together
        if trainer.strategy.reduce_boolean_decision(self.signal_name is not None, all=False):
            if self.signal_name is None:
                self.signal_name = "SIGTERM"
                log.info("another process received a signal: stopping after this batch")
            # not `should_stop`, which would log a row that is not due
            trainer.fit_loop.epoch_loop.max_steps = trainer.global_step

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        restore_handlers(self._handlers)
        self._handlers = {}
