"""Fractals as files: by shipped name, safetensors, JSON, .flame, .ifs, SVG, checkpoint, or run folder."""

import difflib
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from fractalgan.errors import InputError, as_input_error
from fractalgan.storage.atomic import atomic_write
from fractalgan.storage.checkpoints import (
    as_checkpoint_error,
    newest_readable,
    read_checkpoint,
    submodule_state,
)
from fractalgan.storage.flame import flame_text
from fractalgan.storage.flame_reader import read_flame
from fractalgan.storage.fractal_content import SETTINGS, FractalFile, check_content
from fractalgan.storage.fractal_json import json_text, read_json
from fractalgan.storage.fractint import fractint_text, read_fractint
from fractalgan.storage.hub import REPOSITORY, download_fractals
from fractalgan.storage.maps_svg import maps_svg
from fractalgan.storage.resources import FRACTALS
from fractalgan.storage.run_folder import RUNS, RunFolder
from fractalgan.storage.safetensors_file import metadata_values, read_safetensors, safetensors_bytes

log = logging.getLogger(__name__)

FORMAT = "fractalgan-fractals-1"

# Settings that files written before the setting existed do not have.
LEGACY_DEFAULTS = {"jitter": 0.0, "probabilities": "determinant", "sequences": "random", "classes": []}

# The tasks whose older checkpoints have no "fractals" entry of their own.
LEGACY_TASKS = ("FractalGAN", "Reconstruction")


def shipped_fractals() -> list[str]:
    """The names of the learned fractals that ship with the package."""
    return sorted(path.stem for path in FRACTALS.glob("*.safetensors"))


def close_names(source: str | Path, known: Collection[str]) -> list[str]:
    """The known names that a source may be a misspelling of; none for a path, a file, or ``user/name``."""
    path = Path(source)
    is_name = path.name == str(source) and not path.suffix
    return difflib.get_close_matches(str(source), known) if is_name else []


def read_fractals(source: str | Path, **download: Any) -> FractalFile:
    """Read learned fractals. No code in the file is run, and sizes are checked before memory is allocated.

    Args:
        source: the name of shipped fractals, a ``.safetensors``, ``.json``, ``.flame`` or ``.ifs`` file, a
            checkpoint of a task that learns fractals (FractalGAN, Reconstruction, Distillation), or the
            folder of such a run, whose best checkpoint is read, or the newest one if that is missing or
            damaged; if there is none of these, a repository of the Hugging Face Hub, ``user/name``.
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
        known = shipped_fractals()
        names, near = ", ".join(known), close_names(source, known)
        hint = f"did you mean {near[0]}? Pass" if near else "pass"
        raise InputError(
            f"there are no fractals {str(source)!r}: {hint} {names}, a .safetensors, .json, .flame or .ifs"
            " file, or a checkpoint or run folder of FractalGAN, Reconstruction or Distillation"
        )
    if path.suffix.lower() == ".svg":
        raise InputError(f"{path} is a drawing, not fractals: use the file that it was made from")
    parameters, settings, provenance = READERS.get(path.suffix.lower(), _read_checkpoint)(path)
    if not isinstance(settings, dict) or not isinstance(provenance, dict):
        raise InputError(f"{path} is damaged: its metadata is not a table: replace it")
    content = FractalFile(parameters, LEGACY_DEFAULTS | settings, provenance)
    with as_input_error(str(path)):
        check_content(content)
    return content


def is_repository(source: str | Path) -> bool:
    """Whether a source may be a repository of the Hub: ``user/name``, and nothing of this machine.

    ``runs/gan-digits-9`` is a run folder that is missing, and so is any in a folder that exists.
    """
    path = Path(source)
    looks_like_one = isinstance(source, str) and REPOSITORY.fullmatch(source) is not None
    is_file_name = path.suffix.lower() in {".ckpt", *READERS, *WRITERS}
    return looks_like_one and not is_file_name and path.parent != RUNS and not path.parent.exists()


def write_fractals(path: Path, content: FractalFile) -> None:
    """Write fractals in the format of the path's suffix, atomically; a warning says what it cannot hold.

    Args:
        path: ends in ``.safetensors`` or ``.json``, which hold everything; in ``.flame`` or ``.flam3``, for
            flam3, Apophysis, JWildfire and pyr3; in ``.ifs``, for FRACTINT; or in ``.svg``, a drawing of the
            maps, which cannot be read back.
        content: the fractals; their matrices are in the form "raw" for all suffixes but the first.

    Raises:
        InputError: for another suffix, and for what the format cannot hold at all.
        ValueError: for matrices in another form.
    """
    writer = WRITERS[require_suffix(path)]
    atomic_write(path, writer(path, content))


def require_suffix(path: Path) -> str:
    """The suffix of a file to be written. Raises InputError for one without a format."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        *others, last = WRITERS
        raise InputError(f"a file of fractals must end in {', '.join(others)} or {last}, got {path}")
    return suffix


def _safetensors(_: Path, content: FractalFile) -> bytes:
    metadata = {"settings": content.settings, "provenance": content.provenance}
    return safetensors_bytes(content.parameters, FORMAT, **metadata)


def _in_run_folder(run: RunFolder) -> Path:
    """The file of a run that has its fractals: a checkpoint of a task that learns them, else its copy."""
    found = newest_readable([run.best]) or newest_readable(run.checkpoints.glob("*.ckpt"))
    if found is not None and _learns_fractals(found[1]):
        if found[0] != run.best and run.best.exists():
            log.warning("%s is damaged: reading %s instead", run.best, found[0])
        return found[0]
    if run.fractals.is_file():
        return run.fractals
    raise InputError(
        f"{run} has no learned fractals: use the run folder of FractalGAN, Reconstruction or Distillation"
    )


def _learns_fractals(checkpoint: dict[str, Any]) -> bool:
    return "fractals" in checkpoint or checkpoint["task"] in LEGACY_TASKS


def _read_safetensors(path: Path) -> FractalFile:
    parameters, metadata = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} does not contain fractals of fractalgan")
    return FractalFile(parameters, *metadata_values(path, metadata, "settings", "provenance"))


def _read_checkpoint(path: Path) -> FractalFile:
    checkpoint = read_checkpoint(path)
    if not _learns_fractals(checkpoint):
        raise InputError(
            f"{path} is a checkpoint of {checkpoint['task']}, which does not learn fractals:"
            " pass one of FractalGAN, Reconstruction or Distillation"
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


# By suffix; any other file is read as a checkpoint.
READERS: dict[str, Callable[[Path], FractalFile]] = {
    ".safetensors": _read_safetensors,
    ".json": read_json,
    ".flame": read_flame,
    ".flam3": read_flame,
    ".ifs": read_fractint,
}

WRITERS: dict[str, Callable[[Path, FractalFile], bytes]] = {
    ".safetensors": _safetensors,
    ".json": json_text,
    ".flame": flame_text,
    ".flam3": flame_text,
    ".ifs": fractint_text,
    ".svg": maps_svg,
}
