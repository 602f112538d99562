"""The error that a user can correct: one message for the command line and for Python."""

import pickle
import tomllib
from pathlib import Path

import pytest

from fractalgan.errors import (
    EXTRAS,
    InputError,
    as_input_error,
    require_at_least,
    require_betas,
    require_choice,
    require_extra,
)


@pytest.mark.parametrize(
    ("message", "in_python"),
    [
        ("set --data.size 64", "set size=64"),
        ("pass it as --data.root", "pass it as root"),
        ("--data.invert true.", "invert=True."),
        ("set --model.num_fractals 4: it has 4", "set num_fractals=4: it has 4"),
        ("try --model.tau 0.5, or more", "try tau=0.5, or more"),
        ("set --trainer.max_steps 6", "set Trainer(max_steps=6)"),
        ("set --trainer.precision 32-true", 'set Trainer(precision="32-true")'),
        ("with --data.name digits: add it", 'with name="digits": add it'),
        ("use --data fractalgan.TargetData", "use datamodule=TargetData(...)"),
        ("nothing to translate", "nothing to translate"),
    ],
)
def test_options_become_python_arguments(message: str, in_python: str) -> None:
    error = InputError(message)
    assert str(error) == in_python
    assert error.for_command_line == message
    assert str(pickle.loads(pickle.dumps(error))) == in_python  # between processes


def test_prefix_keeps_the_command_line_form() -> None:
    with pytest.raises(InputError) as caught, as_input_error("start even"):
        raise InputError("set --data.size 64")
    assert caught.value.for_command_line == "start even: set --data.size 64"


@pytest.mark.parametrize("value", [0, float("nan"), float("inf")])
def test_numbers_out_of_range(value: float) -> None:
    with pytest.raises(InputError, match=f"^width must be >= 1, got {value}$"):
        require_at_least(1, height=2, width=value)


def test_choices_and_betas() -> None:
    from typing import Literal

    with pytest.raises(InputError, match=r"^color must be one of red, blue, got 'green'$"):
        require_choice(Literal["red", "blue"], color="green")
    with pytest.raises(InputError, match=r"^betas must be in \[0, 1\), got \[0.5, 1.0\]$"):
        require_betas(betas=(0.5, 1.0))


def test_extra_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fractalgan.errors.EXTRAS", {"there": "json", "logs": "folder_of_logs"})
    require_extra("there", "this")
    message = r"^this needs folder_of_logs, which is missing: pip install 'fractalgan\[logs\]'$"
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            require_extra("logs", "this")
        (tmp_path / "folder_of_logs").mkdir(exist_ok=True)  # which Python would import as a package
        monkeypatch.syspath_prepend(tmp_path)


def test_extras_are_those_of_the_package() -> None:
    with (Path(__file__).parents[1] / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["optional-dependencies"]
    for extra, package in EXTRAS.items():
        assert any(requirement.startswith(f"{package}>=") for requirement in declared[extra])
