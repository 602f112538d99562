"""Atomic file writes: a file is complete or absent, whatever interrupts the write."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` when the context ends.

    The file is flushed to disk first. If the context fails, ``path`` keeps its previous content and the
    temporary file is removed. Missing parent folders are created.

    Args:
        path: the final path.

    Yields:
        The temporary path, in the same folder.

    Raises:
        OSError: naming ``path``, if it cannot be written.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):  # it may not exist
            temporary.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, f"cannot write {path}: {error.strerror or error}") from error
        raise


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write a file atomically, see :func:`atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def _flush_folder(folder: Path) -> None:
    """Flush the entries of a folder to disk; some network file systems do not support this."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
