"""What a command line has written to stderr about an error."""

import pytest


def only_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The line of the error; there is exactly one."""
    errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(errors) == 1, errors
    return errors[0]
