"""Fractals as JSON: what Reconstruction writes for people, and what people write by hand."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.limits import LISTS, TEXT

# What a file need not say: the entries of A are all that is known of them.
UNSAID = {
    "matrices": "raw",
    "sigma_min": 0.0,
    "sigma_max": 1.0,
    "image_size": 32,
    "num_points": 300,
    "window": 2.5,
    "tau": 1.0,
    "jitter": 0.0,
    "probabilities": "determinant",
}


def read_json(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Parameters, settings and provenance of ``{"targets": [{"A": [N, 2, 2], "b": [N, 2]}, ...], ...}``.

    Settings such as ``window`` may stand beside ``targets``; what else does is provenance. Numbers that
    were not finite are null, and become NaN. Raises InputError for anything else.
    """
    if path.stat().st_size > TEXT:
        raise InputError(f"{path} is larger than {TEXT} bytes: no file of fractals is")
    text = path.read_bytes()
    if text.count(b"[") + text.count(b"{") > LISTS:
        raise InputError(f"{path} holds more than {LISTS} lists: no file of fractals does")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged or no JSON file ({error})") from error
    targets = content.pop("targets", None) if isinstance(content, dict) else None
    if not isinstance(targets, list) or not all(isinstance(each, dict) for each in targets) or not targets:
        raise InputError(f'{path} holds no fractals: want {{"targets": [{{"A": ..., "b": ...}}, ...]}}')
    b = _numbers(path, targets, "b", (2,))
    A = _numbers(path, targets, "A", (2, 2))
    if A.shape[:2] != b.shape[:2]:
        raise InputError(f"{path}: A is of {A.shape[1]} transforms, b of {b.shape[1]}")
    settings = {name: content.pop(name, value) for name, value in UNSAID.items()}
    return {"matrices.A": A, "b": b}, settings, content


def _numbers(path: Path, targets: list[dict[str, Any]], name: str, shape: tuple[int, ...]) -> Tensor:
    """One entry of all targets [J, N, *shape]; null is NaN."""
    try:
        numbers = torch.tensor([_filled(target[name]) for target in targets], dtype=torch.float32)
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{path}: {name} of every target must be numbers, as many for each ({error})"
        ) from error
    if numbers.ndim != 2 + len(shape) or numbers.shape[2:] != shape or not numbers.numel():
        wanted = " x ".join(["transforms", *map(str, shape)])
        raise InputError(f"{path}: {name} of every target must be {wanted} numbers")
    return numbers


def _filled(entry: Any) -> Any:
    if isinstance(entry, list):
        return [_filled(each) for each in entry]
    if isinstance(entry, bool | str):
        raise TypeError(f"{entry!r} is no number")
    return math.nan if entry is None else entry
