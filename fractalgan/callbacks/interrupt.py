"""Ctrl-C and SIGTERM: finish the batch, save, and stop."""

import signal
import threading
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_info


class GracefulStop(Callback):
    """Turns the first SIGINT or SIGTERM into an orderly end of the run; a second one acts at once.

    ``signal_name`` tells afterwards which one came, None if none did.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():  # others may not set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name
        self._restore()
        rank_zero_info(f"{self.signal_name}: stopping after this batch; once more stops at once")

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        # one process may be told and not the others: they stop together
        stop = trainer.strategy.reduce_boolean_decision(self.signal_name is not None, all=False)
        if stop:
            trainer.should_stop = True

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
