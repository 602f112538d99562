"""The result of a training: summary.json, and the lines that are printed at its end."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from fractalgan.storage import RunFolder, atomic_write


@dataclass(frozen=True)
class Summary:
    """The result of a run.

    Args:
        version: version of fractalgan.
        task: class name of the task.
        data: source of the data.
        seed: random seed.
        step: number of steps done.
        max_steps: maximum number of steps; -1 if a time limit ends the run.
        finished: False for an interrupted run.
        seconds: duration since the last start.
        since: the step that the run was resumed at; 0 for a new one.
        monitor: metric whose lowest value makes the best checkpoint.
        best: lowest value of the monitored metric; None without checkpoints.
        validated: step of the last validation; None if there was none.
        metrics: metrics of the last validation.
        warnings: warnings that were logged.
        findings: what the metrics mean, in words, the worst first.
    """

    version: str
    task: str
    data: str
    seed: int
    step: int
    max_steps: int
    finished: bool
    seconds: float
    since: int
    monitor: str
    best: float | None
    validated: int | None
    metrics: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, run: RunFolder) -> "Summary | None":
        """The summary of a run; None if it has none, or one that cannot be read."""
        try:
            summary = cls(**json.loads(run.summary.read_text()))
            summary.lines(run)
        except (FileNotFoundError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return None
        return summary

    def write(self, run: RunFolder) -> None:
        """Write ``summary.json``, atomically."""
        write_summary(run, asdict(self))

    def lines(self, run: RunFolder) -> list[str]:
        """The summary as it is printed."""
        minutes, seconds = divmod(round(self.seconds), 60)
        state = f"{'finished' if self.finished else 'stopped'} at step {self.step}"
        if self.finished and self.step < self.max_steps:  # by a time limit, or by a callback
            state = f"ended early, at step {self.step} of {self.max_steps},"
        head = f"{self.task} on {self.data}: {state} after {minutes}:{seconds:02d} min"
        if self.since:
            head += f" (resumed at step {self.since})"
        numbers = [
            f"  {name.removeprefix('val/'):<20} {value:.4g}" for name, value in sorted(self.metrics.items())
        ]
        if numbers:
            numbers.insert(0, f"validation at step {self.validated}:")
        best = [] if self.best is None else [f"best {self.monitor}: {self.best:.4g}"]
        findings = [f"- {finding}" for finding in self.findings]
        pictures = [f"pictures:   {run.figures}"] if run.figures.is_dir() else []
        warnings = [f"warning:    {message}" for message in self.warnings]
        return [head, *numbers, *findings, *best, *warnings, f"run folder: {run}", *pictures]


def write_summary(run: RunFolder, summary: dict[str, Any]) -> None:
    """Write ``summary.json``, atomically."""
    atomic_write(run.summary, json.dumps(summary, indent=2) + "\n")
