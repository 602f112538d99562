"""Checkpoints on the disk: written whole, read without running code in them, and what is wrong with one."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO

from fractalgan.errors import InputError
from fractalgan.whole_file import write_whole

# What every checkpoint holds that is asked for by name.
PARTS = {"state_dict": dict, "hyper_parameters": dict, "global_step": int, "task": str}


class WholeCheckpoints(TorchCheckpointIO):
    """Has a trainer write checkpoints under another name, and move them into place once on the disk.

    Lightning's own does not wait for the disk: after a loss of power the file may be there, and empty.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        content = io.BytesIO()  # where a disk is full, torch would hide that behind an error of its own
        torch.save(checkpoint, content)
        write_whole(Path(path), content.getvalue())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint's content, loaded without running code in it.

    Raises InputError where the file is missing, damaged, or no checkpoint of a task of ours.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint {path}")
    try:
        _check_whole(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has a different one for every way of being damaged
        raise InputError(f"{path} is damaged or no checkpoint: take another, such as best.ckpt") from error
    if not (
        isinstance(content, dict)
        and all(isinstance(content.get(name), kind) for name, kind in PARTS.items())
        and all(isinstance(name, str) for name in [*content["state_dict"], *content["hyper_parameters"]])
    ):
        raise InputError(f"{path} is no checkpoint of a fractalgan run")
    return content


def newest_good(paths: Iterable[Path]) -> tuple[Path, dict[str, Any]] | None:
    """The checkpoint with the most steps behind it of those that can be read, and its content.

    Of two with as many it is best.ckpt, which was saved after its validation.
    """
    newest = None
    for path in sorted(paths, reverse=True):  # step_..., best.ckpt
        try:
            content = read_checkpoint(path)
        except InputError:
            continue
        if newest is None or content["global_step"] >= newest[1]["global_step"]:
            newest = path, content
    return newest


def _check_whole(path: Path) -> None:
    """Raise ValueError where bytes are others than were written (torch reads on), or where they are packed:
    a few of those can claim any amount of memory."""
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("a checkpoint is not compressed")
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} is damaged")


@contextmanager
def blame_checkpoint(path: Path) -> Iterator[None]:
    """Raise as InputError what comes of a checkpoint that does not hold what one of its task holds."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} does not hold what its task says ({type(error).__name__}: {said})"
        ) from error


def part_of_state(checkpoint: dict[str, Any], prefix: str) -> dict[str, torch.Tensor]:
    """The weights of the module whose names begin with ``prefix``, by the names within it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(prefix)
    }
