"""The options of a model that is resumed or evaluated: those of its checkpoint."""

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from pytorch_lightning.cli import LightningArgumentParser

from fractalgan.cli.linked_options import LINKS, as_typed, value_as_typed
from fractalgan.cli.resume import ResumePoint
from fractalgan.errors import InputError
from fractalgan.storage import is_repository

log = logging.getLogger(__name__)

# Model options that may name a file or a repository of the Hugging Face Hub: one in a checkpoint, which may
# come from a stranger, is not opened.
PATH_OPTIONS = {"fractals", "backbone", "start"}

# Options outside of the model that must agree with a hyperparameter.
FOLLOWING = {
    source: target.removeprefix("model.init_args.")
    for target, source in LINKS.items()
    if target.startswith("model.")
}


def take_hyper_parameters(
    parser: LightningArgumentParser, options: Namespace, point: ResumePoint
) -> tuple[Namespace, list[str]]:
    """Replace the model's options by the hyperparameters of the checkpoint, and log those that differ.

    Returns:
        The options, and the names of the model's options that were null: they follow the data, and stay null
        in config.yaml.

    Raises:
        InputError: if the checkpoint belongs to another task.
    """
    assert point.checkpoint is not None
    task = options.model.class_path.rpartition(".")[2]
    if point.checkpoint["task"] != task:
        raise InputError(
            f"{point.path} is a checkpoint of {point.checkpoint['task']}, not of {task}:"
            " use another one, or the configuration that it was trained with"
        )
    options.ckpt_path = str(point.path)
    given = options.model.init_args.clone()
    saved = _hyper_parameters(options.model.class_path, point.checkpoint)
    follow_data = [name for name, value in vars(given).items() if value is None]
    _let_others_follow(options, saved)
    options = _with_model_options(parser, options, saved, given)
    used = options.model.init_args
    for name, value in vars(given).items():
        if name not in saved:
            log.warning(
                "the checkpoint is older than the option --model.%s: using %s", name, value_as_typed(value)
            )
        elif name not in (*follow_data, *FOLLOWING.values()) and used[name] != value:
            _log_ignored(f"model.{name}", value, used[name])
    return options, follow_data


def _hyper_parameters(class_path: str, checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a checkpoint, with those that it lacks and whose former value is known."""
    module, _, name = class_path.rpartition(".")
    task = getattr(import_module(module), name)
    return {**getattr(task, "legacy_options", {}), **checkpoint["hyper_parameters"]}


def _with_model_options(
    parser: LightningArgumentParser, options: Namespace, saved: dict[str, Any], given: Namespace
) -> Namespace:
    """The options with the model's arguments from the checkpoint; its class stays that of the options.

    Lightning would import and call any class that a checkpoint names.
    """
    arguments = {name: value for name, value in saved.items() if name in given}
    arguments |= {
        name: given[name]
        for name in PATH_OPTIONS & arguments.keys()
        if Path(str(saved[name])).suffix or is_repository(str(saved[name]))
    }
    model = {"class_path": options.model.class_path, "init_args": arguments}
    checked: Namespace = parser.parse_object({"model": model}, options)
    return checked


def _let_others_follow(options: Namespace, saved: dict[str, Any]) -> None:
    for option, parameter in FOLLOWING.items():
        if parameter in saved and options.get(option) not in (None, saved[parameter]):
            _log_ignored(as_typed(option), options[option], saved[parameter])
            options[option] = saved[parameter]


def _log_ignored(option: str, value: Any, trained: Any) -> None:
    message = "ignoring --%s %s: the checkpoint was trained with %s"
    log.info(message, option, value_as_typed(value), value_as_typed(trained))
