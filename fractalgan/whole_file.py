"""Files that are there whole or not at all, whatever happens while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".tmp"  # of what is not whole yet


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, which is on the disk and becomes ``path`` at the end.

    Where writing fails, what was at ``path`` stays, and nothing else is left. The folder is made if need be.
    Raises OSError with the name of the file.
    """
    beside = path.with_name(path.name + SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(beside, path)
        _sync_names(path.parent)
    except BaseException as error:
        with suppress(OSError):  # where nothing could be written, there may be nothing to remove
            beside.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, f"cannot write {path}: {error.strerror or error}") from error
        raise


def _sync_names(folder: Path) -> None:
    """Wait until the names of a folder's files are on the disk; some network disks know no such thing."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    with whole_file(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
