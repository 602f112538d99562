"""Safetensors files: tensors with JSON in their metadata, the same bytes for the same content."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fractalgan.errors import InputError

# Bytes of the number that is the header's length, and what tensors are aligned to.
HEADER_LENGTH, ALIGNMENT = 8, 8


def safetensors_bytes(tensors: Mapping[str, Tensor], form: str, **metadata: Any) -> bytes:
    """A file's content.

    Args:
        tensors: by name.
        form: what the file says it is.
        metadata: plain values, which become JSON.
    """
    texts = {"format": form} | {name: json.dumps(value) for name, value in metadata.items()}
    return _in_order(save({name: each.contiguous() for name, each in tensors.items()}, texts))


def _in_order(content: bytes) -> bytes:
    """A safetensors file with sorted metadata: safetensors writes them in an order that changes."""
    length = int.from_bytes(content[:HEADER_LENGTH], "little")
    header = json.loads(content[HEADER_LENGTH : HEADER_LENGTH + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(HEADER_LENGTH, "little") + text + content[HEADER_LENGTH + length :]


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and its metadata, as text.

    Raises:
        InputError: for a file that is damaged or of another kind.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged or not a safetensors file ({error}): replace it") from error


def metadata_values(path: Path, metadata: Mapping[str, str], *names: str) -> list[Any]:
    """The values of names in the metadata of a file.

    Raises:
        InputError: for one that is missing or damaged.
    """
    try:
        return [json.loads(metadata[name]) for name in names]
    except (KeyError, ValueError, RecursionError) as error:
        wanted = " or ".join(names)
        raise InputError(f"{path} is damaged, it has no valid {wanted}: replace it") from error
