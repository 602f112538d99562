"""The error that a user can correct, and checks that raise it."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, get_args


class InputError(ValueError):
    """Invalid input: the message says what is wrong, then what to do.

    Options are named as on the command line (``--data.size 64``), where ``for_command_line`` is printed;
    ``str()`` names the Python arguments instead (``size=64``). A message about a value that is out of range
    starts with the argument's name (``size must be >= 1, got 0``), which the command line replaces by the
    option as it was typed.

    Args:
        message: one line.
    """

    @property
    def for_command_line(self) -> str:
        """The message with options as they are typed."""
        return str(self.args[0])

    def __str__(self) -> str:
        return _with_python_arguments(self.for_command_line)


_CLASS = re.compile(r"--data fractalgan\.(\w+)")
_VALUE = r"true|false|null|auto|digits|folder|\d[\w-]*(?:\.\d+)?"
_OPTION = re.compile(rf"--(model|data|trainer)\.([a-z_]+)(?:[ =]({_VALUE}))?(?![\w.]\w)")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_LITERALS = {"true": "True", "false": "False", "null": "None"}


def _with_python_arguments(message: str) -> str:
    """``--data.size 64`` becomes ``size=64``; ``--trainer.max_steps 6`` becomes ``Trainer(max_steps=6)``."""

    def argument(match: re.Match[str]) -> str:
        group, name, value = match.groups()
        quoted = f'"{value}"' if value and not _NUMBER.fullmatch(value) else value
        named = name if value is None else f"{name}={_LITERALS.get(value, quoted)}"
        return f"Trainer({named})" if group == "trainer" else named

    return _OPTION.sub(argument, _CLASS.sub(r"datamodule=\1(...)", message))


@contextmanager
def as_input_error(prefix: str = "") -> Iterator[None]:
    """Raise a ValueError from within as InputError, its message after ``prefix``."""
    try:
        yield
    except ValueError as error:
        message = error.for_command_line if isinstance(error, InputError) else str(error)
        raise InputError(f"{prefix}: {message}" if prefix else message) from error


def require_at_least(minimum: float, **numbers: float) -> None:
    """Raise InputError for the first of the named numbers that is below ``minimum``, infinite, or NaN."""
    for name, number in numbers.items():
        if not minimum <= number < math.inf:
            raise InputError(f"{name} must be >= {minimum}, got {number}")


def require_at_most(maximum: float, **numbers: float) -> None:
    """Raise InputError for the first of the named numbers that is above ``maximum``, or NaN."""
    for name, number in numbers.items():
        if not number <= maximum:
            raise InputError(f"{name} must be <= {maximum}, got {number}")


def require_above(bound: float, **numbers: float) -> None:
    """Raise InputError for the first of the named numbers that is not above ``bound``."""
    for name, number in numbers.items():
        if not number > bound:
            raise InputError(f"{name} must be > {bound}, got {number}")


def require_choice(choices: Any, **values: str) -> None:
    """Raise InputError for the first of the named values that is not one of a Literal's ``choices``."""
    for name, value in values.items():
        if value not in get_args(choices):
            raise InputError(f"{name} must be one of {', '.join(get_args(choices))}, got {value!r}")


def require_betas(**betas: Sequence[float]) -> None:
    """Raise InputError for the first of the named sequences with a number outside [0, 1)."""
    for name, values in betas.items():
        if not all(0 <= value < 1 for value in values):
            raise InputError(f"{name} must be in [0, 1), got {list(values)}")


def require_sigma_range(sigma_min: float, sigma_max: float) -> None:
    """Raise InputError unless 0 <= sigma_min < sigma_max."""
    if not 0 <= sigma_min < sigma_max:
        raise InputError(f"sigma_min must be >= 0 and < sigma_max, got {sigma_min} and {sigma_max}")


def require_binarize_level(binarize: float | None) -> None:
    """Raise InputError unless ``binarize`` is None or in [0, 1)."""
    if binarize is not None and not 0 <= binarize < 1:
        raise InputError(f"binarize must be in [0, 1), or null for grayscale images, got {binarize}")


IMAGE_KINDS = {1: "in grayscale", 3: "in color"}  # by the number of channels


def require_image_kind(
    channels: int, source: str, *, expected: int, reason: str, remedy: str, note: str = ""
) -> None:
    """Raise InputError unless the images of ``source`` have the number of channels that is expected.

    Args:
        channels: 1 for images in grayscale, 3 for color.
        source: where the images come from.
        expected: the number of channels that they should have.
        reason: what expects it, followed by "images in color" or "images in grayscale".
        remedy: what the user can do.
        note: added after the reason.
    """
    if channels != expected:
        raise InputError(
            f"the images of {source} are {IMAGE_KINDS[channels]}, but {reason} images"
            f" {IMAGE_KINDS[expected]}{note}: {remedy}"
        )


def require_features(features: int | None) -> None:
    """Raise InputError unless the number of features of a transform is 0, 1, 3 or null."""
    if features not in (None, 0, 1, 3):
        raise InputError(f"features must be 0, 1, 3 or null, got {features}")


# Extras and their packages.
EXTRAS = {
    "backbones": "timm",
    "cluster": "distributed",
    "hub": "huggingface_hub",
    "mlflow": "mlflow",
    "onnx": "onnxscript",
    "video": "av",
    "wandb": "wandb",
}


def require_extra(extra: str, purpose: str) -> None:
    """Raise InputError unless the package of an extra is installed, which ``purpose`` needs."""
    if not has_extra(extra):
        package = EXTRAS[extra]
        raise InputError(f"{purpose} needs {package}, which is missing: pip install 'fractalgan[{extra}]'")


def has_extra(extra: str) -> bool:
    """Whether the package of an extra is installed."""
    found = find_spec(EXTRAS[extra])
    return found is not None and found.origin is not None  # not a folder of that name, as the wandb/ of a run
