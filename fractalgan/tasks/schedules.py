"""Learning rates and widths of points over a run."""

import math
from typing import Literal

Schedule = Literal["constant", "halving", "cosine"]


def schedule_factor(schedule: Schedule, progress: float) -> float:
    """The factor after a share ``progress`` of the run.

    ``halving`` halves after each quarter of the run, ``cosine`` falls to 0 at its end.
    """
    factors = {
        "constant": 1.0,
        "halving": 0.5 ** int(4 * progress),
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
    }
    return factors[schedule]


def warmup_factor(progress: float, share: float) -> float:
    """The factor of a learning rate that rises linearly to 1 during the first ``share`` of a run."""
    return min(1.0, progress / share) if share > 0 else 1.0


def annealed(start: float, end: float, progress: float, share: float = 0.6) -> float:
    """A value that goes geometrically from ``start`` to ``end`` during the first ``share`` of a run."""
    ratio: float = (end / start) ** min(1.0, progress / share)
    return start * ratio
