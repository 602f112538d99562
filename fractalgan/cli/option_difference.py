"""The option by which those of a run differ from those of a command, in words."""

from collections.abc import Mapping
from typing import Any

from fractalgan.cli.linked_options import as_typed, value_as_typed


def first_difference(started: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first option that differs; classes come before their arguments.

    An option that only ``now`` has is none: the version that started the run did not have it.

    Args:
        started: the options that a run was started with, by their full names.
        now: those of the command.

    Returns:
        Such as "--model.tau was 1.0, now 2.0"; "" if none differs.
    """
    for name in sorted(started, key=lambda name: (not name.endswith(".class_path"), name)):
        option, value = as_typed(name), value_as_typed(started[name])
        if name not in now:
            return f"--{option} was {value}, now not set"
        if started[name] != now[name]:
            return f"--{option} was {value}, now {value_as_typed(now[name])}"
    return ""
