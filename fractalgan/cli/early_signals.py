"""Signals before the first training step, when there is nothing to save yet."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fractalgan.callbacks import GracefulStop, restore_handlers, set_handlers
from fractalgan.cli.run_command import EXIT_STATUS

log = logging.getLogger(__name__)


@contextmanager
def exit_before_first_step(stop: GracefulStop) -> Iterator[None]:
    """Exit at once, and say so, on a signal that comes before ``stop`` takes over at the first step.

    Raises:
        SystemExit: with the exit status of the signal.
    """
    before: dict[signal.Signals, Any] = {}

    def receive(number: int, _: FrameType | None) -> None:
        restore_handlers(before)
        if stop.has_started:  # the training is over
            signal.raise_signal(number)
            return
        log.info("%s: stopped before the first step: there is nothing to save", signal.Signals(number).name)
        raise SystemExit(EXIT_STATUS[signal.Signals(number).name])

    before.update(set_handlers(receive))
    try:
        yield
    finally:
        restore_handlers(before)
