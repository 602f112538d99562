"""Checkpoints on disk: written atomically, read without running code in them, errors explained."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from fractalgan.errors import InputError
from fractalgan.storage.atomic import atomic_write

REQUIRED_ENTRIES = {"state_dict": dict, "hyper_parameters": dict, "global_step": int, "task": str}


class AtomicCheckpointIO(TorchCheckpointIO):
    """A checkpoint plugin that writes atomically and waits for the disk.

    Lightning's own plugin does not flush: after a loss of power the file may exist and be empty.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        buffer = io.BytesIO()  # written directly to a full disk, torch would hide the reason
        torch.save(checkpoint, buffer)
        atomic_write(Path(path), buffer.getvalue())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code in it.

    Args:
        path: a ``.ckpt`` file of a run.

    Returns:
        The checkpoint dictionary, on the CPU.

    Raises:
        InputError: if the file is missing, damaged, or not a checkpoint of a fractalgan run.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: set --ckpt_path to a file in its checkpoints/, or to last")
    if not path.is_file():
        raise InputError(f"there is no checkpoint {path}: use a file in the checkpoints/ of a run")
    try:
        check_archive(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different type for every kind of damage
        raise InputError(f"{path} is damaged or not a checkpoint: use another one") from error
    if not (
        isinstance(checkpoint, dict)
        and all(isinstance(checkpoint.get(name), kind) for name, kind in REQUIRED_ENTRIES.items())
        and all(
            isinstance(name, str) for name in [*checkpoint["state_dict"], *checkpoint["hyper_parameters"]]
        )
    ):
        raise InputError(f"{path} is not a checkpoint of a fractalgan run")
    return checkpoint


def newest_readable(paths: Iterable[Path]) -> tuple[Path, dict[str, Any]] | None:
    """The readable checkpoint with the most steps and its content; None if there is none.

    Of two with equally many steps, best.ckpt is taken: it was saved after its validation.
    """
    newest = None
    for path in sorted(paths, reverse=True):  # step_..., best.ckpt
        try:
            checkpoint = read_checkpoint(path)
        except InputError:
            continue
        if newest is None or checkpoint["global_step"] >= newest[1]["global_step"]:
            newest = path, checkpoint
    return newest


def check_archive(path: Path) -> None:
    """Raise ValueError for a wrong checksum, which torch ignores, and for compressed entries, which can
    claim any amount of memory."""
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("a checkpoint is not compressed")
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} is damaged")


@contextmanager
def as_checkpoint_error(path: Path) -> Iterator[None]:
    """Raise InputError naming the checkpoint for an error that its content causes within the context."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} has invalid content ({type(error).__name__}: {reason})") from error


def submodule_state(checkpoint: dict[str, Any], prefix: str) -> dict[str, torch.Tensor]:
    """The state of the submodule whose names start with ``prefix``, which is removed from them."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(prefix)
    }
