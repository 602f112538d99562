"""Configuration files: found by bare name, those of earlier versions migrated, and named in errors."""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from fractalgan.cli.did_you_mean import did_you_mean_config
from fractalgan.storage import find_config

OPTIONS = ("--config", "-c")

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
    expanded = expand_configs(arguments)
    try:
        options: Namespace = parser.parse_args(expanded)
    except ArgumentError as error:
        configs: list[str] = []
        for position, prefix, name in _named_configs(arguments):
            configs.append(f"{prefix or '--config='}{expanded[position].removeprefix(prefix)}")
            try:
                parser.parse_args(configs)
            except ArgumentError as of_file:
                raise ConfigFileError(name, str(of_file)) from of_file
        raise error
    return options


def expand_configs(arguments: list[str]) -> list[str]:
    """Replace each ``--config`` by the path of a shipped file that it names, or by its migrated content.

    Raises:
        ConfigFileError: for a file that is not YAML.
        ArgumentError: for a file that does not exist.
    """
    expanded = list(arguments)
    for position, prefix, name in _named_configs(arguments):
        content = _load(name)
        migrated = migrate(content)
        expanded[position] = prefix + (
            str(find_config(name)) if migrated == content else yaml.safe_dump(migrated, sort_keys=False)
        )
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


def _load(name: str) -> Any:
    if name.lstrip().startswith("{") or "\n" in name:
        return None  # YAML instead of a name, which is for the parser
    path = find_config(name)
    if not path.exists():
        raise ArgumentError(None, f"--config: there is no file {name}{did_you_mean_config(name)}")
    if not path.is_file():
        raise ArgumentError(None, f"--config: {name} is not a file")
    try:
        return yaml.safe_load(path.read_text())
    except UnicodeDecodeError as error:
        raise ConfigFileError(name, "the file is not text") from error
    except yaml.YAMLError as error:
        raise ConfigFileError(name, _syntax_error(error)) from error


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
