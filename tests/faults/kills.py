"""SIGKILL, at any moment and again and again."""

import random
import subprocess
import time
from pathlib import Path

from tests.faults.outcome import LAST, TASKS, Outcome, end, fit_whole, start

EARLY = 0.2  # the share of kills while it begins, which takes some seconds
BEGINNING, TRAINING = 4.0, 1.5  # seconds within which it is killed: of its start, of its first new row
STEPS = {"GAN on digits": 80, "reconstruction of digits": 250}  # for every kill: more than it does before it


def kill_often(folder: Path, task: str, times: int, seed: int = 0) -> Outcome:
    """Kill a run at random moments and give the same command again, until it has been killed so often."""
    options = [*TASKS[task], f"--trainer.max_steps={STEPS[task] * times}"]
    whole = fit_whole(folder / "whole", *options)
    run, moments, resumed = folder / "killed", random.Random(seed), 0
    for _ in range(times):
        process = start(run, *options)
        if moments.random() < EARLY:
            time.sleep(moments.uniform(0, BEGINNING))
        else:
            _wait_for_rows(process, run / "metrics.jsonl")
            time.sleep(moments.uniform(0, TRAINING))
        assert process.poll() is None, f"it ended by itself: {process.communicate()}"
        process.kill()
        process.communicate()
        resumed += (run / LAST).exists()
    _, lost = end(whole, run, *options)
    survived = times if lost == "nothing" and resumed else 0
    return Outcome(
        f"SIGKILL at random moments, {task}; {resumed} restarts from a checkpoint", times, survived, lost
    )


def _wait_for_rows(process: subprocess.Popen[str], metrics: Path) -> None:
    """Until the run has written to its metrics."""
    before = metrics.stat().st_mtime_ns if metrics.exists() else None
    while process.poll() is None and (metrics.stat().st_mtime_ns if metrics.exists() else None) == before:
        time.sleep(0.02)
