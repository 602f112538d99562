"""Read a Lightning checkpoint safely, and say in one line what is wrong with it."""

from pathlib import Path
from typing import Any

import torch

from fractalgan.errors import InputError


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint's content, loaded without running code in it.

    Raises InputError where the file is missing, damaged, or no checkpoint of a task of ours.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has a different one for every way of being damaged
        raise InputError(f"{path} is damaged or no checkpoint: take another, such as best.ckpt") from error
    if not (isinstance(content, dict) and {"state_dict", "global_step", "task"} <= content.keys()):
        raise InputError(f"{path} is no checkpoint of a fractalgan run")
    return content


def part_of_state(checkpoint: dict[str, Any], prefix: str) -> dict[str, torch.Tensor]:
    """The weights of the module whose names begin with ``prefix``, by the names within it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(prefix)
    }
