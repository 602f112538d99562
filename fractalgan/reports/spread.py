"""Mean and std of a result over random seeds."""

import statistics
from typing import NamedTuple


class Spread(NamedTuple):
    """Mean and sample std of accuracies over seeds."""

    mean: float
    std: float | None  # None for a single seed
    seeds: int

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The spread of one value or more."""
        std = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), std, len(values))
