"""Warnings of a run, kept to be repeated in its closing summary."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self.messages:
            self.messages.append(message)


@contextmanager
def repeated_warnings() -> Iterator[list[str]]:
    """Yield a list that collects every warning of the package once, in order, within the context."""
    keeper, log = _Keeper(), logging.getLogger("fractalgan")
    log.addHandler(keeper)
    try:
        yield keeper.messages
    finally:
        log.removeHandler(keeper)
