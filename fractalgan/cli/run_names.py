"""The default name of a run folder."""

import pydoc
from pathlib import Path

from jsonargparse import Namespace

from fractalgan.errors import InputError
from fractalgan.tasks import Task


def task_class(options: Namespace) -> type[Task]:
    """The class of the task that the options name.

    Raises:
        InputError: if there is no such task.
    """
    found = pydoc.locate(options.model.class_path)
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise InputError(f"--model {options.model.class_path} is not a subclass of fractalgan.tasks.Task")
    return found


def run_stem(options: Namespace) -> str:
    """The name of a run folder without its number, from task and data: "gan-digits"."""
    data = options.data.get("init_args", {})
    if data.get("path"):
        name = Path(data.path).resolve().stem
    elif data.get("name") == "folder":
        name = Path(data.root or ".").resolve().name
    elif data.get("name"):
        name = data.name
    elif data.get("fractals"):
        name = Path(str(data.fractals)).stem
    else:
        name = "random-fractals"
    task = task_class(options)
    return f"{task.run_name or task.__name__}-{name}".lower()
