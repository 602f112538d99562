"""The result of a training run: summary.json, and the lines that are printed at its end."""

import json
from dataclasses import asdict, dataclass

from fractalgan.run_folder import RunFolder
from fractalgan.whole_file import write_whole


@dataclass(frozen=True)
class Summary:
    """What is worth knowing about a run without opening anything else.

    ``metrics`` are those of the last validation, after step ``validated``, None if there was none;
    ``seconds`` count from the last start, which was at step ``since``.
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

    @classmethod
    def read(cls, folder: RunFolder) -> "Summary | None":
        """What ``summary.json`` holds; None where there is none of a run, or another version's."""
        try:
            summary = cls(**json.loads(folder.summary.read_text()))
            summary.lines(folder)
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return None
        return summary

    def write(self, folder: RunFolder) -> None:
        """Write ``summary.json``, whole or not at all."""
        write_whole(folder.summary, json.dumps(asdict(self), indent=2) + "\n")

    def lines(self, folder: RunFolder) -> list[str]:
        """The result for people."""
        minutes, seconds = divmod(round(self.seconds), 60)
        state = "finished" if self.finished else "stopped"
        if self.finished and self.step < self.max_steps:
            state += " by --trainer.max_time"
        head = f"{self.task} on {self.data}: {state} at step {self.step}, {minutes}:{seconds:02d} minutes"
        if self.since:
            head += f" since step {self.since}"
        numbers = [
            f"  {name.removeprefix('val/'):<20} {value:.4g}" for name, value in sorted(self.metrics.items())
        ]
        if numbers:
            numbers.insert(0, f"validation at step {self.validated}:")
        pictures = [f"pictures:   {folder.figures}"] if folder.figures.is_dir() else []
        return [head, *numbers, f"run folder: {folder}", *pictures]
