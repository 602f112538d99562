"""Fractals as JSON: for people to read, for other programs, and written by people by hand."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.limits import MAX_JSON_BYTES, MAX_JSON_LISTS, MAX_UNNAMED_CLASSES, require_bytes
from fractalgan.storage.fractal_content import MATRICES, RAW_SETTINGS, FractalFile
from fractalgan.storage.number_text import FLOAT32_DIGITS


def read_json(path: Path) -> FractalFile:
    """Read ``{"targets": [{"A": [N, 2, 2], "b": [N, 2]}, ...], ...}``.

    Fractals in grayscale or color also have ``features`` [N, 1 or 3], and may have ``blend`` [N] and
    ``background`` [1 or 3], which are 0 by default; ``relative_tau``, 1 by default, is the squared width of a
    fractal's points as a multiple of ``tau``. Labeled fractals have a ``label`` each, the index of a class,
    whose names may stand in the list ``classes`` beside ``targets``, as may settings such as ``window``;
    all other entries are provenance. ``null``, which stands for a number that is not finite, becomes NaN.

    Returns:
        The fractals, settings, and provenance.

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
    settings = {name: content.pop(name, default) for name, default in RAW_SETTINGS.items()}
    names = [target.get("name") for target in targets]
    if all(isinstance(name, str) for name in names):
        content["names"] = names
    parameters = {MATRICES: A, "b": b} | _features(path, targets, A.shape[1]) | _relative_tau(path, targets)
    if (labels := _labels(path, targets)) is not None:
        parameters["labels"] = labels
        settings["classes"] = settings["classes"] or _numbered_classes(path, int(labels.max()) + 1)
    return FractalFile(parameters, settings, content)


def json_text(path: Path, content: FractalFile) -> bytes:
    """The text of fractals for :func:`read_json`, one line per fractal.

    Raises:
        InputError: for more fractals than are read back.
    """
    transforms, features = content.fractals()
    columns: dict[str, Tensor] = transforms._asdict()
    if features.num_features:
        values, blend, background = features
        columns |= {"features": values, "blend": blend, "background": background}
    if "relative_tau" in content.parameters:
        columns["relative_tau"] = content.parameters["relative_tau"]
    if "labels" in content.parameters:
        columns["label"] = content.parameters["labels"]
    lists = {name: _plain(each.tolist(), FLOAT32_DIGITS) for name, each in columns.items()}
    names = {"name": content.names()} if "names" in content.provenance else {}
    reserved = {"targets", "names", *RAW_SETTINGS}
    head = {name: each for name, each in content.provenance.items() if name not in reserved}
    head |= {name: each for name, each in content.settings.items() if RAW_SETTINGS.get(name) != each}
    targets = [
        json.dumps({name: each[row] for name, each in (names | lists).items()})
        for row in range(content.num_fractals)
    ]
    lines = [f"{json.dumps(name)}: {json.dumps(_plain(each))}" for name, each in head.items()]
    lines.append('"targets": [\n' + ",\n".join(targets) + "\n]")
    text = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    if len(text) > MAX_JSON_BYTES or text.count(b"[") + text.count(b"{") > MAX_JSON_LISTS:
        raise InputError(f"{path} would be larger than is read back: choose some of the fractals")
    return text


def _relative_tau(path: Path, targets: list[dict[str, Any]]) -> dict[str, Tensor]:
    if not any("relative_tau" in target for target in targets):
        return {}
    lists = [{"relative_tau": [target.get("relative_tau", 1.0)]} for target in targets]
    return {"relative_tau": _numbers(path, lists, "relative_tau", (), "1").squeeze(1)}


def _labels(path: Path, targets: list[dict[str, Any]]) -> Tensor | None:
    """The label of each fractal [J]; None if no fractal has one."""
    labels = [target["label"] for target in targets if "label" in target]
    if not labels:
        return None
    if len(labels) < len(targets) or not all(type(label) is int and 0 <= label < 2**31 for label in labels):
        raise InputError(f"{path}: label of every target must be the index of a class, an integer >= 0")
    return torch.tensor(labels)


def _numbered_classes(path: Path, number: int) -> list[str]:
    """Names of classes that have none."""
    if number > MAX_UNNAMED_CLASSES:
        raise InputError(
            f"{path}: label must be < {MAX_UNNAMED_CLASSES} without a list of classes, got {number - 1}"
        )
    return [str(label) for label in range(number)]


def _plain(entry: Any, digits: int = 17) -> Any:
    """Nested lists of numbers with so many digits, and null for those that are not finite."""
    if isinstance(entry, dict):
        return {name: _plain(each, digits) for name, each in entry.items()}
    if isinstance(entry, list | tuple):
        return [_plain(each, digits) for each in entry]
    if isinstance(entry, float):
        return float(f"{entry:.{digits}g}") if math.isfinite(entry) else None
    return entry


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
    require_bytes(path, MAX_JSON_BYTES)
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
