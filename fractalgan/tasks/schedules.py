"""Learning rates over a run, as factors of the initial one."""

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
