"""The commands that can be run next, to be copied."""

import shlex
import shutil
import sys
from pathlib import Path

from fractalgan.storage import RunFolder
from fractalgan.tasks import Task


def format_commands(**commands: str) -> list[str]:
    """Lines with a label and a command: ``format_commands(resume="fit --ckpt_path last")``.

    Paths in the commands have to be quoted, see :func:`quote`.
    """
    return _aligned(_of_program(commands))


def commands_after_fit(run: RunFolder, task: Task, finished: bool) -> list[str]:
    """What can be done with the checkpoints of a run, one command per line.

    Args:
        run: the run folder.
        task: what was trained.
        finished: False for an interrupted run, which can be resumed.
    """
    checkpoints = [path for path in (run.best, run.last) if path.exists()]
    if not checkpoints:
        return []
    if not finished:
        return format_commands(resume=f"fit --run {quote(run)} --ckpt_path last")
    paths = {"best": quote(checkpoints[0]), "last": quote(checkpoints[-1]), "run": quote(run)}
    steps = {label: command.format(**paths) for label, command in task.next_steps().items()}
    return _aligned(_of_program(steps) | {"curves": f"{_tensorboard()} --logdir {quote(run.path.parent)}"})


def quote(path: object) -> str:
    """A path as a shell reads it back: in quotes if it has spaces or the like."""
    return shlex.quote(str(path))


def _of_program(commands: dict[str, str]) -> dict[str, str]:
    return {label: f"{_python()} -m fractalgan {command}" for label, command in commands.items()}


def _aligned(commands: dict[str, str]) -> list[str]:
    width = max((len(label) for label in commands), default=0) + 1
    return [f"{label + ':':<{width}} {command}" for label, command in commands.items()]


def _python() -> str:
    """How this interpreter is called from the current folder."""
    return _program(Path(sys.executable), "python")


def _tensorboard() -> str:
    """How the TensorBoard of this interpreter is called from the current folder."""
    script = Path(sys.executable).with_name("tensorboard")
    return _program(script, "tensorboard") if script.is_file() else f"{_python()} -m tensorboard.main"


def _program(executable: Path, name: str) -> str:
    """Its name if a shell finds it by that, else its path, relative where it lies in the current folder."""
    if shutil.which(name) == str(executable):
        return name
    here = executable.is_relative_to(Path.cwd())
    return quote(executable.relative_to(Path.cwd()) if here else executable)
