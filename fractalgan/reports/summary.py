"""The result of a training run: summary.json, and the lines that are printed at its end."""

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from fractalgan.run_folder import RunFolder
from fractalgan.whole_file import write_whole


@dataclass(frozen=True)
class Summary:
    """What is worth knowing about a run without opening anything else.

    ``metrics`` are those of the validation after step ``validated``, None if there was none since the
    last start, from which ``seconds`` count, too.
    """

    version: str
    task: str
    data: str
    seed: int
    step: int
    max_steps: int
    finished: bool
    seconds: float
    monitor: str
    best: float | None
    validated: int | None
    metrics: dict[str, float]

    def write(self, folder: RunFolder) -> None:
        """Write ``summary.json``, whole or not at all."""
        write_whole(folder.summary, json.dumps(asdict(self), indent=2) + "\n")

    def lines(self, folder: RunFolder) -> list[str]:
        """The result for people."""
        minutes, seconds = divmod(round(self.seconds), 60)
        state = "finished" if self.finished else "stopped"
        head = f"{self.task} on {self.data}: {state} at step {self.step}, {minutes}:{seconds:02d} minutes"
        numbers = [
            f"  {name.removeprefix('val/'):<20} {value:.4g}" for name, value in sorted(self.metrics.items())
        ]
        if numbers:
            numbers.insert(0, f"validation at step {self.validated}:")
        pictures = [f"pictures:   {folder.figures}"] if folder.figures.is_dir() else []
        return [head, *numbers, f"run folder: {folder}", *pictures]


def next_commands(**commands: str) -> list[str]:
    """Lines that say what can be done next: ``next_commands(resume="fit --ckpt_path last")``."""
    width = max(len(name) for name in commands) + 1
    return [f"{name + ':':<{width}} {_python()} -m {command}" for name, command in commands.items()]


def _python() -> str:
    """How this interpreter is called from the current folder."""
    executable = Path(sys.executable)
    if shutil.which("python") == str(executable):
        return "python"
    here = executable.is_relative_to(Path.cwd())
    return str(executable.relative_to(Path.cwd()) if here else executable)
