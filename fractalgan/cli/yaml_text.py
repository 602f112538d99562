"""YAML as a user typed it, with one kind of error for all that is wrong with it."""

from typing import Any

import yaml


class SelfReferenceError(yaml.YAMLError):  # type: ignore[misc]  # PyYAML has no types
    """Content that contains itself, as ``&x {y: *x}`` does: valid YAML, but without end as options."""


def load_yaml(text: str) -> Any:
    """The content of YAML.

    Raises:
        YAMLError: for text that is not YAML, or with a value that is out of range, such as 2020-99-99.
        SelfReferenceError: for content that contains itself.
    """
    try:
        content = yaml.safe_load(text)
        if _contains_itself(content):
            raise SelfReferenceError("an anchor contains itself")
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error
    # PyYAML raises these for `2020-99-99` and `!!bool x`
    except (ValueError, LookupError, AttributeError) as error:
        raise yaml.YAMLError(f"a value cannot be read: {error}") from error
    return content


def flat_options(options: Any, group: str = "") -> dict[str, Any]:
    """Options by their full names: ``{"data.size": 32}`` for ``{"data": {"size": 32}}``."""
    if not isinstance(options, dict):
        return {group: options}
    return {
        name: value
        for key, each in options.items()
        for name, value in flat_options(each, f"{group}.{key}" if group else str(key)).items()
    }


def _contains_itself(content: Any, outer: tuple[Any, ...] = ()) -> bool:
    if not isinstance(content, dict | list | tuple):
        return False
    if any(content is each for each in outer):
        return True
    inner = content.values() if isinstance(content, dict) else content
    return any(_contains_itself(each, (*outer, content)) for each in inner)
