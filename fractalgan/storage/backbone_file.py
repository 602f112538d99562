"""Weights of a backbone: plain tensors with the names of the network's library, which load without us."""

import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.storage.atomic import atomic_write
from fractalgan.storage.checkpoints import (
    REQUIRED_ENTRIES,
    as_checkpoint_error,
    check_archive,
    newest_readable,
    read_checkpoint,
    submodule_state,
)
from fractalgan.storage.run_folder import RunFolder
from fractalgan.storage.safetensors_file import metadata_values, read_safetensors, safetensors_bytes

REMEDY = "pass a run folder, a checkpoint, or a .safetensors or .pth file of weights"

# What training scripts keep weights under, beside an optimizer's state.
WRAPPERS = ("state_dict", "model_state_dict", "model")
FORMAT = "pt"  # what transformers and timm write, too
TASKS = ("Pretraining", "Classifier")  # whose networks are backbones

# Hyperparameters that say what a network is, and what they are where they are not given.
NETWORK = {"network": "lenet", "width": None, "small_stem": False, "image_size": None, "channels": 1}


class BackboneFile(NamedTuple):
    """The weights of a network without its head.

    Args:
        weights: by the names of its library.
        network: the options ``network``, ``width``, ``small_stem``, ``image_size`` and ``channels`` that make
            the network; empty if the file does not say.
        provenance: what it was trained on.
    """

    weights: dict[str, Tensor]
    network: dict[str, Any]
    provenance: dict[str, Any]


def read_backbone(source: str | Path) -> BackboneFile:
    """Read the weights of a backbone.

    Args:
        source: a checkpoint of Pretraining or Classifier; a run folder of theirs, of which the last
            checkpoint is read, or the best of a Classifier; a ``.safetensors`` file:
            ``backbone.safetensors`` of a run, or weights of torchvision or timm; or a ``.pth``, ``.pt`` or
            ``.bin`` file of their weights, as ``torch.save`` writes it.

    Raises:
        InputError: if there are none, or if the file has other content.
    """
    path = Path(source)
    if (reader := READERS.get(path.suffix.lower())) is not None and not path.is_dir():
        if not path.is_file():
            raise InputError(f"there are no weights {path}: {REMEDY}")
        return reader(path)
    if not path.exists() or (path.is_dir() and RunFolder(path).last_saved() is None):
        raise InputError(f"there is no backbone in {path}: {REMEDY}")
    return _of_checkpoint(
        *_in_run_folder(RunFolder(path)) if path.is_dir() else (path, read_checkpoint(path))
    )


def _of_checkpoint(path: Path, checkpoint: dict[str, Any]) -> BackboneFile:
    if checkpoint["task"] not in TASKS:
        raise InputError(
            f"{path} is a checkpoint of {checkpoint['task']}, not of Pretraining:"
            " train one with fit --config pretraining.yaml"
        )
    with as_checkpoint_error(path):
        options = checkpoint["hyper_parameters"]
        network = {name: options.get(name, missing) for name, missing in NETWORK.items()}
        provenance = {"task": checkpoint["task"], "step": checkpoint["global_step"]}
        return BackboneFile(submodule_state(checkpoint, "network.features."), network, provenance)


def _in_run_folder(run: RunFolder) -> tuple[Path, dict[str, Any]]:
    """The last checkpoint of a run, or the best of one that is judged by real images."""
    path = run.checkpoint("last")
    checkpoint = read_checkpoint(path)
    if checkpoint["task"] == "Classifier" and run.best.is_file():
        return run.best, read_checkpoint(run.best)
    return path, checkpoint


def is_backbone(source: str | Path) -> bool:
    """Whether there is a backbone at a path, as for :func:`read_backbone`, and not something else."""
    path = Path(source)
    if path.suffix.lower() == ".safetensors" and path.is_file():
        return "network" in read_safetensors(path)[1]
    found = None
    if path.is_dir():
        run = RunFolder(path)
        found = newest_readable([run.last]) or newest_readable(run.checkpoints.glob("*.ckpt"))
    elif path.is_file():
        found = newest_readable([path])
    return found is not None and found[1]["task"] in TASKS


def _read_weights(path: Path) -> BackboneFile:
    weights, metadata = read_safetensors(path)
    if "network" not in metadata:
        return BackboneFile(weights, {}, {})
    network, provenance = metadata_values(path, metadata, "network", "provenance")
    if not isinstance(network, dict) or not NETWORK.keys() <= network.keys():
        raise InputError(f"{path} is damaged, it does not say what network it is of: replace it")
    return BackboneFile(weights, network, provenance)


def _read_state_dict(path: Path) -> BackboneFile:
    """The weights in a file of ``torch.save``, which may lie in it beside other things; or a checkpoint."""
    try:
        if zipfile.is_zipfile(path):  # old versions of torch wrote no archives
            check_archive(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different type for every kind of damage
        raise InputError(
            f"{path} is damaged, or has Python objects, which are not loaded: save a state_dict() alone"
        ) from error
    if isinstance(content, dict) and REQUIRED_ENTRIES.keys() <= content.keys():
        return _of_checkpoint(path, read_checkpoint(path))
    for name in WRAPPERS:
        content = content[name] if isinstance(content, dict) and name in content else content
    named = isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(each, Tensor) for name, each in content.items()
    )
    if not named:
        raise InputError(f"{path} does not have the weights of a network: save its state_dict()")
    return BackboneFile({_plain(name): each for name, each in content.items()}, {}, {})


def _plain(name: str) -> str:
    """The name of a weight without what torch.compile and DDP put before it."""
    return name.removeprefix("_orig_mod.").removeprefix("module.")


READERS = {".safetensors": _read_weights, **dict.fromkeys((".pth", ".pt", ".bin"), _read_state_dict)}


def write_backbone(path: Path, content: BackboneFile) -> None:
    """Write a ``.safetensors`` file, atomically."""
    named = {"network": content.network, "provenance": content.provenance}
    atomic_write(path, safetensors_bytes(content.weights, FORMAT, **named))
