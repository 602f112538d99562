"""SIGKILL, at any moment and again and again."""

import random
import time
from pathlib import Path

from tests.faults.outcome import LAST, TASKS, Outcome, differences, finish, start

LATEST = 9.0  # seconds after its start that a run is killed at; half of them it needs to begin


def kill_often(folder: Path, task: str, times: int, seed: int = 0) -> Outcome:
    """Kill a run at random moments and give the same command again, until it has been killed so often."""
    options = TASKS[task]
    status, said = finish(folder / "whole", *options)
    assert status == 0, said
    moments = random.Random(seed)
    killed = gone_on = 0
    while killed < times:
        process = start(folder / "killed", *options)
        time.sleep(moments.uniform(0, LATEST))
        if process.poll() is not None:
            raise AssertionError(f"the run ended by itself: {process.communicate()[1]}")
        process.kill()
        process.communicate()
        killed += 1
        gone_on += (folder / "killed" / LAST).exists()
    status, said = finish(folder / "killed", *options)
    lost = differences(folder / "whole", folder / "killed") if status == 0 else "\n".join(said)
    return Outcome(f"SIGKILL at random moments, {task}", killed, killed if lost == "nothing" else 0, lost)
