"""What is printed where a thread fails."""

import errno
import threading

import pytest

from fractalgan.cli.run_command import _ignore_full_disk


@pytest.mark.parametrize(
    ("error", "silent"),
    [
        (OSError(errno.ENOSPC, "no space left on device"), True),
        (OSError(errno.EIO, "input/output error"), False),
        (ValueError("a defect"), False),
    ],
)
def test_only_a_full_disk_is_ignored(
    error: Exception, silent: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    _ignore_full_disk(threading.ExceptHookArgs((type(error), error, None, None)))
    assert (capsys.readouterr().err == "") == silent
