"""SIGKILL at random moments, over and over."""

import random
import subprocess
import time
from pathlib import Path

from tests.faults.outcome import LAST, TASKS, Outcome, resume_and_compare, start, uninterrupted

EARLY = 0.2  # share of the kills that come during the start, which takes some seconds
START_SECONDS = 4.0
MOST_ROWS, ROW_SECONDS = 6, 0.2  # rows of metrics after resuming, and time after the last of them
STEPS = {"GAN on digits": 80, "reconstruction of digits": 250}  # per kill: more than are done before it


def kill_often(folder: Path, task: str, times: int, seed: int = 0) -> Outcome:
    """Kill a run at random moments and run the same command again, until it has been killed often enough."""
    options = [*TASKS[task], f"--trainer.max_steps={STEPS[task] * times}"]
    reference = uninterrupted(folder / "reference", *options)
    run, moments, kills, resumed = folder / "killed", random.Random(seed), 0, 0
    for _ in range(times):
        process = start(run, *options)
        if moments.random() < EARLY:
            time.sleep(moments.uniform(0, START_SECONDS))
        else:
            _wait_for_rows(process, run / "metrics.jsonl", moments.randint(1, MOST_ROWS))
            time.sleep(moments.uniform(0, ROW_SECONDS))
        ended = process.poll() is not None  # by itself, because this program had to wait for the processor
        process.kill()
        _, errors = process.communicate()
        assert not ended or process.returncode == 0, errors
        kills += not ended
        resumed += not ended and (run / LAST).exists()
    _, lost = resume_and_compare(reference, run, *options)
    survived = kills if lost == "nothing" and resumed else 0
    return Outcome(
        f"SIGKILL at random moments, {task}; {resumed} restarts from a checkpoint", kills, survived, lost
    )


def _wait_for_rows(process: subprocess.Popen[str], metrics: Path, count: int) -> None:
    """Wait until the process has written so many rows of metrics, or has ended.

    On resuming, rows after the last checkpoint are dropped first, which counts as one.
    """
    seen, before = 0, _written(metrics)
    while process.poll() is None and seen < count:
        time.sleep(0.01)
        now = _written(metrics)
        seen, before = seen + (now != before), now


def _written(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None
