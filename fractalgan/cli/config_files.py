"""Configuration files: found by bare name, and those of earlier versions migrated."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from fractalgan.storage import find_config

OPTIONS = ("--config", "-c")

# Options of version 0.1.0 that had no effect.
REMOVED = ("optimizer", "lr_scheduler", "weights_only", "verbose", "return_predictions")
GROUPS = ("trainer", "model", "data")

RENAMED_CLASSES = {"SystemData": "RandomFractalData"}
RENAMED_ARGUMENTS = {"RandomFractalData": {"num_systems": "num_fractals"}}


def expand_configs(arguments: list[str]) -> list[str]:
    """Replace each ``--config`` by the path of a shipped file that it names, or by its migrated content."""
    expanded = list(arguments)
    for position, prefix, name in _named_configs(arguments):
        content = _load(name)
        migrated = migrate(content)
        expanded[position] = prefix + (
            str(find_config(name)) if migrated == content else yaml.safe_dump(migrated, sort_keys=False)
        )
    return expanded


def config_contents(arguments: list[str]) -> list[Any]:
    """The migrated content of the configuration files of a command line; None for an unreadable one."""
    return [migrate(_load(name)) for _, _, name in _named_configs(arguments)]


def _named_configs(arguments: list[str]) -> Iterator[tuple[int, str, str]]:
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
    try:
        return yaml.safe_load(Path(find_config(name)).read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return None  # the parser reports it


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
        migrated["data"] = data | {
            "class_path": f"{package}{dot}{name}",
            "init_args": {renamed.get(key, key): value for key, value in arguments.items()},
        }
    return migrated
