"""A clock around named parts of a training step, for the benchmarks."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self
from unittest.mock import patch


class Clock:
    """Adds up the time of named parts, step by step; time inside a nested part counts for that part alone.

    Used as a context, at whose end the watched functions are as before.
    """

    def __init__(self) -> None:
        self.steps: list[Counter[str]] = [Counter()]
        self.parts = ["rest"]
        self.since = time.perf_counter()
        self.patches = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.patches.close()

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Count the time in a function or method for a part."""
        self._replace(owner, name, self._around(getattr(owner, name), part))

    def begin_step_at(self, owner: type, name: str) -> None:
        """Count a new step whenever this method is called."""
        method = getattr(owner, name)

        def begin(*given: Any) -> Any:
            self._switch()
            self.steps.append(Counter())
            return method(*given)

        self._replace(owner, name, begin)

    def _replace(self, owner: Any, name: str, function: Callable[..., Any]) -> None:
        self.patches.enter_context(patch.object(owner, name, function))

    def _switch(self) -> None:
        now = time.perf_counter()
        self.steps[-1][self.parts[-1]] += now - self.since
        self.since = now

    def _around(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            self._switch()
            self.parts.append(part)
            try:
                return function(*given, **named)
            finally:
                self._switch()
                self.parts.pop()

        return timed
