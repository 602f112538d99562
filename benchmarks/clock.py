"""A clock around named parts of a training step, for the benchmarks."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any


class Clock:
    """Adds up the time of named parts, the innermost counting, step by step."""

    def __init__(self) -> None:
        self.steps: list[Counter[str]] = [Counter()]
        self.parts = ["rest"]
        self.since = time.perf_counter()

    def switch(self) -> None:
        now = time.perf_counter()
        self.steps[-1][self.parts[-1]] += now - self.since
        self.since = now

    def around(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            self.switch()
            self.parts.append(part)
            try:
                return function(*given, **named)
            finally:
                self.switch()
                self.parts.pop()

        return timed

    def begin_step_at(self, owner: type, name: str) -> None:
        """Count a new step whenever this method is called."""
        method = getattr(owner, name)

        def begin(*given: Any) -> Any:
            self.switch()
            self.steps.append(Counter())
            return method(*given)

        setattr(owner, name, begin)
