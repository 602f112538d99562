"""Options that follow another option, such as the image size of a model that of its data."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import yaml
from jsonargparse import Namespace

from fractalgan.cli.config_files import CONFIG, config_contents, option_values
from fractalgan.cli.yaml_text import load_yaml
from fractalgan.errors import InputError

# Each option, and the one that it follows where the class of the latter has it.
LINKS = {
    "model.init_args.image_size": "data.init_args.size",
    "model.init_args.seed": "seed_everything",
    "data.init_args.seed": "seed_everything",
    "data.init_args.fractals": "model.init_args.fractals",
    "data.init_args.num_fractals": "model.init_args.num_fractals",
}


def refuse_linked_options(arguments: list[str], options: Namespace) -> None:
    """Refuse options that would have no effect, as they follow others.

    Args:
        arguments: the command line without the verb.
        options: the same, parsed.

    Raises:
        InputError: for the first option that is set though it follows another one.
    """
    names = {as_typed(name) for name in (*typed_options(arguments), *options_in_files(arguments))}
    for target, source in LINKS.items():
        if as_typed(target) in names and source in options:
            raise InputError(
                f"--{as_typed(target)} has no effect, it follows --{as_typed(source)}:"
                f" set --{as_typed(source)} instead"
            )


def as_typed(name: str) -> str:
    """An option as it is typed: ``data.size`` for ``data.init_args.size``."""
    return name.replace("init_args.", "")


def value_as_typed(value: Any) -> str:
    """A value as it is typed: ``null``, ``true``, ``[0.5, 0.99]``."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def typed_options(arguments: Sequence[str]) -> Iterator[str]:
    """The names of all options of a command line, and those within a value that is a mapping."""
    for option, value in option_values(arguments):
        yield option
        if option != CONFIG and value.startswith("{"):
            with suppress(yaml.YAMLError):  # the parser reports it
                yield from _names(load_yaml(value), f"{option}.")


def options_in_files(arguments: Sequence[str]) -> Iterator[str]:
    """The names of all options that the configuration files of a command line set."""
    for content in config_contents(arguments):
        yield from _names(content)


def _names(config: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(config, dict):
        for name, value in config.items():
            yield f"{prefix}{name}"
            yield from _names(value, f"{prefix}{name}.")
