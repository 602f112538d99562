"""Configuration files: found by bare name, those of earlier versions migrated, and named in errors."""

from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from fractalgan.cli.did_you_mean import did_you_mean_config
from fractalgan.cli.yaml_text import SelfReferenceError, load_yaml
from fractalgan.storage import find_config

CONFIG = "config"
OPTIONS = (f"--{CONFIG}", "-c")

# Options of version 0.1.0 that had no effect.
REMOVED = ("optimizer", "lr_scheduler", "weights_only", "verbose", "return_predictions")
GROUPS = ("trainer", "model", "data")

RENAMED_CLASSES = {"SystemData": "RandomFractalData"}
RENAMED_ARGUMENTS = {"RandomFractalData": {"num_systems": "num_fractals"}}


class ConfigFileError(ArgumentError):
    """An error in a configuration file.

    Args:
        file: its name, as it was typed.
        reason: what is wrong with it.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(None, reason)
        self.file = file


def parse_with_configs(parser: ArgumentParser, arguments: list[str]) -> Namespace:
    """The options of a command line whose configuration files have been found and migrated.

    Raises:
        ConfigFileError: for options in a configuration file that cannot be parsed.
        ArgumentError: for others.
    """
    _refuse_self_reference(arguments)
    expanded = expand_configs(arguments)
    try:
        options: Namespace = parser.parse_args(expanded)
    except ArgumentError:
        for position, prefix, name in _named_configs(arguments):
            before = expanded[: position if prefix else position - 1]
            if _error_of(parser, before) is None and (of_file := _error_of(parser, expanded[: position + 1])):
                raise ConfigFileError(_shown(name), str(of_file)) from of_file
        raise
    return options


def _refuse_self_reference(arguments: Sequence[str]) -> None:
    """Raise ArgumentError for a value that contains itself, at which jsonargparse would hang."""
    for option, value in option_values(arguments):
        if option != CONFIG and "&" in value and "*" in value:
            try:
                load_yaml(value)
            except SelfReferenceError as error:
                raise ArgumentError(None, f"--{option}: {error}") from error
            except yaml.YAMLError:
                continue  # the parser reports it, unless it is a plain string


def _error_of(parser: ArgumentParser, arguments: Sequence[str]) -> ArgumentError | None:
    """The error in the first arguments of a command line, if there is one."""
    try:
        with redirect_stdout(StringIO()):
            parser.parse_args(list(arguments))
    except ArgumentError as error:
        return error
    except SystemExit:  # of --print_config, which ends a command line without errors
        return None
    return None


def option_values(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options of a command line, and the value or, where there is none, whatever follows each."""
    for argument, following in pairwise([*arguments, ""]):
        if argument.startswith("--"):
            option, equals, value = argument[2:].partition("=")
            yield option, value if equals else following


def expand_configs(arguments: list[str]) -> list[str]:
    """Replace each ``--config`` by the path of the file that it names, or by its migrated content.

    Raises:
        ConfigFileError: for a file that is not YAML.
        ArgumentError: for a file that does not exist.
    """
    expanded = list(arguments)
    for position, prefix, name in _named_configs(arguments):
        content = _load(name)
        migrated = migrate(content)
        if migrated != content:
            expanded[position] = prefix + yaml.safe_dump(migrated, sort_keys=False)
        elif not _is_inline(name):
            expanded[position] = f"{prefix}{find_config(name)}"
    return expanded


def config_contents(arguments: Sequence[str]) -> list[Any]:
    """The migrated content of the configuration files of a command line.

    Raises:
        ArgumentError: as :func:`expand_configs` does.
    """
    return [migrate(_load(name)) for _, _, name in _named_configs(arguments)]


def _named_configs(arguments: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """The position of each configuration file, what comes before its name there, and the name."""
    value_follows = False
    for position, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if value_follows:
            yield position, "", argument
        elif option in OPTIONS and equals:
            yield position, f"{option}=", value
        value_follows = not value_follows and argument in OPTIONS


def _is_inline(name: str) -> bool:
    """Whether the value of ``--config`` is YAML instead of the name of a file."""
    return name.lstrip().startswith("{") or "\n" in name


def _shown(name: str) -> str:
    """What messages call a configuration."""
    return OPTIONS[0] if _is_inline(name) else name


def _load(name: str) -> Any:
    try:
        return load_yaml(name if _is_inline(name) else _read(name))
    except yaml.YAMLError as error:
        raise ConfigFileError(_shown(name), _syntax_error(error)) from error


def _read(name: str) -> str:
    path = find_config(name)
    if not path.exists():
        hint = did_you_mean_config(name) or ": fit --help lists the shipped ones"
        raise ArgumentError(None, f"--config: there is no file {name}{hint}")
    if not path.is_file():
        raise ArgumentError(None, f"--config: {name} is not a file")
    try:
        return path.read_text()
    except UnicodeDecodeError as error:
        raise ConfigFileError(name, "the file is not text") from error


def _syntax_error(error: yaml.YAMLError) -> str:
    """One line for the first error in a file: "not valid YAML, line 2, column 6: expected ',' or ']'"."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"not valid YAML: {' '.join(str(error).split())}"
    mark = error.problem_mark
    return f"not valid YAML, line {mark.line + 1}, column {mark.column + 1}: {error.problem}"


def migrate(config: Any) -> Any:
    """Options of an earlier version under today's names, without empty groups.

    Args:
        config: the content of a config.yaml.

    Returns:
        A copy; anything that is not a dictionary is returned as it is.
    """
    if not isinstance(config, dict):
        return config
    migrated = {
        name: value for name, value in config.items() if value is not None or name not in REMOVED + GROUPS
    }
    data = migrated.get("data")
    if isinstance(data, dict) and isinstance(data.get("class_path"), str):
        package, dot, name = data["class_path"].rpartition(".")
        name = RENAMED_CLASSES.get(name, name)
        renamed = RENAMED_ARGUMENTS.get(name, {})
        arguments = data.get("init_args") or {}
        if isinstance(arguments, dict):
            arguments = {renamed.get(key, key): value for key, value in arguments.items()}
        migrated["data"] = data | {"class_path": f"{package}{dot}{name}", "init_args": arguments}
    return migrated
