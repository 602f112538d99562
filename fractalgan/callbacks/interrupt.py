"""Ctrl-C, SIGTERM, a closed terminal, and what SLURM sends before the time is up: finish the batch, save,
and stop."""

import logging
import signal
import threading
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

log = logging.getLogger(__name__)


class GracefulStop(Callback):
    """Turns the first of these signals into an orderly end of the run; a second one acts at once.

    ``signal_name`` tells afterwards which one came, to this process or to another of the
    run; None if none did.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():  # others may not set handlers
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
                if signal.getsignal(number) == signal.SIG_IGN:  # as nohup has it
                    continue
                self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name
        self._restore()
        log.info("%s: stopping after this batch; once more stops at once", self.signal_name)

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        # one process may be told and not the others: they stop together
        if trainer.strategy.reduce_boolean_decision(self.signal_name is not None, all=False):
            if self.signal_name is None:
                self.signal_name = "SIGTERM"
                log.info("another process is to stop: stopping after this batch")
            # as if this had been the last step: `should_stop` would log a row that is not due
            trainer.fit_loop.epoch_loop.max_steps = trainer.global_step

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
