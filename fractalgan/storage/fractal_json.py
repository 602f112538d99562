"""Fractals as JSON: written by Reconstruction for people to read, and by people by hand."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.limits import MAX_JSON_BYTES, MAX_JSON_LISTS

# The settings of a file that does not have them: of its matrices only the entries are known.
DEFAULTS = {
    "matrices": "raw",
    "sigma_min": 0.0,
    "sigma_max": 1.0,
    "image_size": 32,
    "num_points": 300,
    "window": 2.5,
    "tau": 1.0,
    "jitter": 0.0,
    "probabilities": "determinant",
    "sequences": "random",
}


def read_json(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Read ``{"targets": [{"A": [N, 2, 2], "b": [N, 2]}, ...], ...}``.

    Fractals in grayscale or color also have ``features`` [N, 1 or 3], and may have ``blend`` [N] and
    ``background`` [1 or 3], which are 0 by default. Settings such as ``window`` may stand beside ``targets``;
    all other entries are provenance. ``null``, which stands for a number that is not finite, becomes NaN.

    Returns:
        The parameters of a FractalEmbedding, settings, and provenance.

    Raises:
        InputError: for a file that is too large, damaged, or has other content.
    """
    content = _parse(path)
    targets = content.pop("targets", None) if isinstance(content, dict) else None
    if not isinstance(targets, list) or not all(isinstance(each, dict) for each in targets) or not targets:
        raise InputError(f'{path} has no fractals: it must be {{"targets": [{{"A": ..., "b": ...}}, ...]}}')
    b = _numbers(path, targets, "b", (2,))
    A = _numbers(path, targets, "A", (2, 2))
    if A.shape[:2] != b.shape[:2]:
        raise InputError(f"{path}: A has {A.shape[1]} transforms, but b has {b.shape[1]}")
    settings = {name: content.pop(name, default) for name, default in DEFAULTS.items()}
    return {"matrices.A": A, "b": b} | _features(path, targets, A.shape[1]), settings, content


def _features(path: Path, targets: list[dict[str, Any]], num_transforms: int) -> dict[str, Tensor]:
    """The features of all targets, by their names in a FractalEmbedding; nothing if there are none."""
    if not any("features" in target for target in targets):
        for name in ("blend", "background"):
            if any(name in target for target in targets):
                raise InputError(f"{path}: {name} needs features")
        return {}
    values = _numbers(path, targets, "features", (None,))
    number = values.shape[2]
    zeros = {"blend": [0.0] * num_transforms, "background": [0.0] * number}
    filled = [zeros | target for target in targets]
    found = {
        "values": values,
        "blend": _numbers(path, filled, "blend", ()),
        "background": _numbers(path, filled, "background", (), "channels"),
    }
    expected = {"values": num_transforms, "blend": num_transforms, "background": number}
    for name, count in expected.items():
        if found[name].shape[1] != count:
            raise InputError(
                f"{path}: {'features' if name == 'values' else name} must have {count} entries per target,"
                f" got {found[name].shape[1]}"
            )
    return {f"features.{name}": each for name, each in found.items()}


def _parse(path: Path) -> Any:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise InputError(f"{path} has more than {MAX_JSON_BYTES} bytes: it is not a file of fractals")
    text = path.read_bytes()
    if text.count(b"[") + text.count(b"{") > MAX_JSON_LISTS:
        raise InputError(f"{path} has more than {MAX_JSON_LISTS} lists: it is not a file of fractals")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged or not a JSON file ({error})") from error


def _numbers(
    path: Path,
    targets: list[dict[str, Any]],
    name: str,
    shape: tuple[int | None, ...],
    first: str = "transforms",
) -> Tensor:
    """One entry of all targets [J, N, *shape], with NaN for null; None in the shape stands for any number."""
    try:
        numbers = torch.tensor([_null_as_nan(target[name]) for target in targets], dtype=torch.float32)
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{path}: {name} of every target must be a list of numbers of the same shape ({error})"
        ) from error
    fits = numbers.ndim == 2 + len(shape) and all(
        length in (None, found) for length, found in zip(shape, numbers.shape[2:], strict=True)
    )
    if not fits or not numbers.numel():
        expected = " x ".join([first, *("channels" if each is None else str(each) for each in shape)])
        raise InputError(f"{path}: {name} of every target must have the shape {expected}")
    return numbers


def _null_as_nan(entry: Any) -> Any:
    if isinstance(entry, list):
        return [_null_as_nan(each) for each in entry]
    if isinstance(entry, bool | str):
        raise TypeError(f"{entry!r} is not a number")
    return math.nan if entry is None else entry
