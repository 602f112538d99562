"""Learned fractals as files: by shipped name, safetensors, JSON, checkpoint, or run folder."""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fractalgan.errors import InputError, as_input_error, require_at_least
from fractalgan.limits import require_sizes
from fractalgan.ops import check_view
from fractalgan.storage.atomic import atomic_write
from fractalgan.storage.checkpoints import (
    as_checkpoint_error,
    newest_readable,
    read_checkpoint,
    submodule_state,
)
from fractalgan.storage.fractal_json import read_json
from fractalgan.storage.hub import download_fractals, is_repository
from fractalgan.storage.resources import FRACTALS
from fractalgan.storage.run_folder import RunFolder

log = logging.getLogger(__name__)

FORMAT = "fractalgan-fractals-1"

# What a FractalGenerator is built from, beside the parameters of its embedding, and its type.
SETTINGS: dict[str, Any] = {
    "matrices": str,
    "sigma_min": (int, float),
    "sigma_max": (int, float),
    "image_size": int,
    "num_points": int,
    "window": (int, float),
    "tau": (int, float),
    "jitter": (int, float),
    "probabilities": str,
    "sequences": str,
}

# Settings that files written before the setting existed do not have.
LEGACY_DEFAULTS = {"jitter": 0.0, "probabilities": "determinant", "sequences": "random"}

# The tasks whose older checkpoints have no "fractals" entry of their own.
LEGACY_TASKS = ("FractalGAN", "Reconstruction")


class FractalFile(NamedTuple):
    """Learned fractals, how they are drawn, and where they come from."""

    parameters: dict[str, Tensor]  # the state of a FractalEmbedding
    settings: dict[str, Any]  # by the names in SETTINGS
    provenance: dict[str, Any]  # data, options, seed, scores, version, as far as known


def shipped_fractals() -> list[str]:
    """The names of the learned fractals that ship with the package."""
    return sorted(path.stem for path in FRACTALS.glob("*.safetensors"))


def read_fractals(source: str | Path, **download: Any) -> FractalFile:
    """Read learned fractals. No code in the file is run, and sizes are checked before memory is allocated.

    Args:
        source: the name of shipped fractals, a ``.safetensors`` or ``.json`` file, a checkpoint of a task
            that learns fractals (FractalGAN, Reconstruction), or the folder of such a run, whose best
            checkpoint is read, or the newest one if that is missing or damaged; if there is none of these, a
            repository of the Hugging Face Hub, ``user/name``.
        download: for the Hub, as for ``huggingface_hub.hf_hub_download``.

    Returns:
        The fractals with their settings and provenance.

    Raises:
        InputError: if there are none, or if the file has other content.
    """
    path = FRACTALS / f"{source}.safetensors" if str(source) in shipped_fractals() else Path(source)
    if not path.exists() and is_repository(source):
        path = download_fractals(str(source), **download)
    if path.is_dir():
        path = _in_run_folder(RunFolder(path))
    if not path.is_file():
        names = ", ".join(shipped_fractals())
        raise InputError(
            f"there are no fractals {str(source)!r}: pass {names}, a .safetensors or .json file,"
            " or a checkpoint or run folder of FractalGAN or Reconstruction"
        )
    readers = {".safetensors": _read_safetensors, ".json": read_json}
    parameters, settings, provenance = readers.get(path.suffix, _read_checkpoint)(path)
    if not isinstance(settings, dict) or not isinstance(provenance, dict):
        raise InputError(f"{path} is damaged: its metadata is not a table: replace it")
    content = FractalFile(parameters, LEGACY_DEFAULTS | settings, provenance)
    with as_input_error(str(path)):
        _check(content)
    return content


def write_fractals(path: Path, content: FractalFile) -> None:
    """Write learned fractals as a safetensors file, atomically.

    Raises:
        ValueError: for another suffix than ``.safetensors``.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"path must end in .safetensors, got {path}")
    metadata = {"format": FORMAT}
    metadata |= {key: json.dumps(getattr(content, key)) for key in ("settings", "provenance")}
    atomic_write(path, save({name: each.contiguous() for name, each in content.parameters.items()}, metadata))


def _in_run_folder(run: RunFolder) -> Path:
    """The file of a run that has its fractals: a checkpoint of a task that learns them, else its copy."""
    found = newest_readable([run.best]) or newest_readable(run.checkpoints.glob("*.ckpt"))
    if found is not None and _learns_fractals(found[1]):
        if found[0] != run.best and run.best.exists():
            log.warning("%s is damaged: reading %s instead", run.best, found[0])
        return found[0]
    if run.fractals.is_file():
        return run.fractals
    raise InputError(f"{run} has not learned fractals: use the run folder of FractalGAN or Reconstruction")


def _learns_fractals(checkpoint: dict[str, Any]) -> bool:
    return "fractals" in checkpoint or checkpoint["task"] in LEGACY_TASKS


def _read_safetensors(path: Path) -> FractalFile:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged or not a safetensors file ({error}): replace it") from error
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} does not contain fractals of fractalgan")
    try:
        settings, provenance = (json.loads(metadata[name]) for name in ("settings", "provenance"))
    except (KeyError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged, it has no valid settings or provenance: replace it") from error
    return FractalFile(parameters, settings, provenance)


def _read_checkpoint(path: Path) -> FractalFile:
    checkpoint = read_checkpoint(path)
    if not _learns_fractals(checkpoint):
        raise InputError(
            f"{path} is a checkpoint of {checkpoint['task']}, which does not learn fractals:"
            " pass one of FractalGAN or Reconstruction"
        )
    with as_checkpoint_error(path):
        if "fractals" in checkpoint:
            content = checkpoint["fractals"]
            return FractalFile(content["parameters"], content["settings"], content["provenance"])
        return _from_legacy_checkpoint(checkpoint)


def _from_legacy_checkpoint(checkpoint: dict[str, Any]) -> FractalFile:
    options = checkpoint["hyper_parameters"]
    parameters = submodule_state(checkpoint, "generator.embedding.")
    if checkpoint["task"] == "Reconstruction":  # of several candidates, the best of each target
        ranking, running_loss = checkpoint["state_dict"]["order"], checkpoint["state_dict"]["recent"]
        best = running_loss[ranking].argmin(1, keepdim=True)
        winners = ranking.gather(1, best).squeeze(1)
        parameters = {name: each[winners] for name, each in parameters.items()}
    settings = {name: options[name] for name in SETTINGS if name in options}
    return FractalFile(parameters, settings, {"step": checkpoint["global_step"], "seed": options.get("seed")})


def _check(content: FractalFile) -> None:
    """Raise ValueError for settings that cannot be drawn with, and for parameters of other shapes."""
    settings = content.settings
    if missing := [name for name in SETTINGS if name not in settings]:
        raise ValueError(f"the setting {missing[0]} is missing")
    for name, kind in SETTINGS.items():
        if not isinstance(settings[name], kind) or isinstance(settings[name], bool):
            raise ValueError(f"the setting {name} is {settings[name]!r}")
    require_at_least(0, jitter=settings["jitter"], sigma_min=settings["sigma_min"])
    size = settings["image_size"]
    require_sizes(image_size=size, num_points=settings["num_points"])
    check_view((size, size), settings["window"], settings["tau"])
    if not all(isinstance(each, Tensor) for each in content.parameters.values()):
        raise ValueError("a parameter is not a tensor")
    b = content.parameters.get("b")
    if b is None or b.ndim != 3 or b.shape[2] != 2 or not b.is_floating_point() or not b.numel():
        raise ValueError("b must have the shape [num_fractals, num_transforms, 2]")
    relative_tau = content.parameters.get("relative_tau")
    if relative_tau is not None:
        if relative_tau.shape != b.shape[:1] or not relative_tau.is_floating_point():
            raise ValueError("relative_tau must have the shape [num_fractals]")
        taus = (settings["tau"] * relative_tau).tolist()
        check_view((size, size), settings["window"], *taus)
    _check_features(content.parameters, b)


def _check_features(parameters: dict[str, Tensor], b: Tensor) -> None:
    """Raise ValueError for features of other shapes, of other images, or out of range."""
    found = {name: each for name, each in parameters.items() if name.startswith("features.")}
    if not found:
        return
    values = found.get("features.values")
    if values is None or values.ndim != 3 or values.shape[2] not in (1, 3):
        raise ValueError("features must have the shape [num_fractals, num_transforms, 1 or 3]")
    (count, transforms, _), number = b.shape, values.shape[2]
    shapes = {
        "values": (count, transforms, number),
        "blend": (count, transforms),
        "background": (count, number),
    }
    for name, shape in shapes.items():
        part = found.get(f"features.{name}")
        if part is None or part.shape != shape or not part.is_floating_point():
            raise ValueError(f"features.{name} must have the shape {list(shape)}")
        if not ((part >= 0) & (part <= 1)).all():
            raise ValueError(f"features.{name} must be in [0, 1]")
