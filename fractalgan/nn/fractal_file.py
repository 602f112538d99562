"""Learned fractals as files: safetensors of some 34 KB, and those that ship with the project by name."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fractalgan.checkpoint_file import part_of_state, read_checkpoint
from fractalgan.errors import InputError, blame_input, require_at_least
from fractalgan.limits import require_sizes
from fractalgan.nn.fractal_json import read_json
from fractalgan.ops import check_view
from fractalgan.shipped import shipped
from fractalgan.whole_file import write_whole

SHIPPED = shipped("checkpoints")
FORMAT = "fractalgan-fractals-1"

# What a FractalGenerator is built from, beside the parameters of its embedding.
KINDS: dict[str, Any] = {
    "matrices": str,
    "sigma_min": (int, float),
    "sigma_max": (int, float),
    "image_size": int,
    "num_points": int,
    "window": (int, float),
    "tau": (int, float),
    "jitter": (int, float),
    "probabilities": str,
}
SETTINGS = tuple(KINDS)

# What files say nothing of that are older than the setting.
OLDER = {"jitter": 0.0, "probabilities": "determinant"}


class FractalFile(NamedTuple):
    """Learned fractals, how they are drawn, and where they come from."""

    parameters: dict[str, Tensor]  # the state of a FractalEmbedding
    settings: dict[str, Any]  # by the names in SETTINGS
    provenance: dict[str, Any]  # data, recipe, seed, scores, version: whatever is known


def shipped_fractals() -> list[str]:
    """The names of the learned fractals that ship with the project."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def read_fractals(source: str | Path) -> FractalFile:
    """Read learned fractals: by name, from a safetensors or JSON file, or from a checkpoint of FractalGAN.

    No code in the file is run, and sizes are checked before memory is taken. Raises InputError where there
    is none, or where it holds something else.
    """
    path = SHIPPED / f"{source}.safetensors" if str(source) in shipped_fractals() else Path(source)
    if not path.is_file():
        choices = ", ".join([*shipped_fractals(), "a .safetensors or .json file"])
        raise InputError(f"no fractals {str(source)!r}: give {choices} or a .ckpt of FractalGAN")
    read = {".safetensors": _read_safetensors, ".json": read_json}.get(path.suffix, _read_checkpoint)
    parameters, settings, provenance = read(path)
    if not isinstance(settings, dict) or not isinstance(provenance, dict):
        raise InputError(f"{path} is damaged: its metadata are no tables: get it again")
    content = FractalFile(parameters, OLDER | settings, provenance)
    with blame_input(str(path)):
        _check(content)
    return content


def write_fractals(path: Path, content: FractalFile) -> None:
    """Write learned fractals as safetensors, whole or not at all. Raises ValueError for another suffix."""
    if path.suffix != ".safetensors":
        raise ValueError(f"want a path that ends in .safetensors, got {path}")
    metadata = {"format": FORMAT}
    metadata |= {key: json.dumps(getattr(content, key)) for key in ("settings", "provenance")}
    write_whole(path, save({name: each.contiguous() for name, each in content.parameters.items()}, metadata))


def _read_safetensors(path: Path) -> FractalFile:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged or no safetensors file ({error}): get it again") from error
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} holds no fractals of fractalgan")
    try:
        settings, provenance = (json.loads(metadata[name]) for name in ("settings", "provenance"))
    except (KeyError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: its metadata lack {error}: get it again") from error
    return FractalFile(parameters, settings, provenance)


def _read_checkpoint(path: Path) -> FractalFile:
    checkpoint = read_checkpoint(path)
    if checkpoint["task"] != "FractalGAN":
        raise InputError(f"{path} is a checkpoint of {checkpoint['task']}, which learns no fractals")
    options = checkpoint["hyper_parameters"]
    parameters = part_of_state(checkpoint, "generator.embedding.")
    provenance = {"step": checkpoint["global_step"], "seed": options.get("seed")}
    return FractalFile(parameters, {name: options[name] for name in SETTINGS if name in options}, provenance)


def _check(content: FractalFile) -> None:
    """Raise ValueError for settings that nothing can be drawn with, and for parameters of other shapes."""
    settings = content.settings
    if missing := [name for name in SETTINGS if name not in settings]:
        raise ValueError(f"it does not say {missing[0]}")
    for name, kind in KINDS.items():
        if not isinstance(settings[name], kind) or isinstance(settings[name], bool):
            raise ValueError(f"{name} is {settings[name]!r}")
    require_at_least(0, jitter=settings["jitter"], sigma_min=settings["sigma_min"])
    size = settings["image_size"]
    require_sizes(image_size=size, num_points=settings["num_points"])
    check_view((size, size), settings["window"], settings["tau"])
    b = content.parameters.get("b")
    if (
        not isinstance(b, Tensor)
        or b.ndim != 3
        or b.shape[2] != 2
        or not b.is_floating_point()
        or not b.numel()
    ):
        raise ValueError("its b has no shape [fractals, transforms, 2]")
