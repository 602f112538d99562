"""Whether the machine has the device that the options of the Trainer ask for."""

import logging
import os
from typing import Any

import torch
from jsonargparse import Namespace
from pytorch_lightning.accelerators import Accelerator, AcceleratorRegistry
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from fractalgan.cli.did_you_mean import did_you_mean_name
from fractalgan.errors import InputError
from fractalgan.nn.bfloat16 import warn_if_emulated

log = logging.getLogger(__name__)

SHORT_NAMES = 0.6  # similarity of names that share most of three letters
HALF = ("16", "16-mixed")
BFLOAT16 = ("bf16", "bf16-mixed")


def check_device(trainer: Namespace) -> None:
    """Check the accelerator, the number of devices, and the precision, before any data is loaded.

    Drawing on Apple's GPU is moved to the CPU, and half precision on the CPU is replaced by bfloat16, with a
    message. bfloat16 that the CPU has to emulate is warned of.

    Raises:
        InputError: for a device that does not exist.
    """
    if not isinstance(trainer.accelerator, str):
        return
    name = _resolve(trainer.accelerator)
    if name == "mps" and torch.backends.mps.is_available():
        log.info("running on the CPU: Apple's GPU lacks operations that fractals need")
        trainer.accelerator = name = "cpu"
    accelerator = _accelerator(name, trainer.accelerator)
    _check_devices(trainer.devices, accelerator, name)
    if name == "cpu" and str(trainer.precision) in HALF:
        log.warning("--trainer.precision %s needs a GPU: using bf16-mixed on the CPU", trainer.precision)
        trainer.precision = "bf16-mixed"
    if name == "cpu" and str(trainer.precision) in BFLOAT16:
        warn_if_emulated("--trainer.precision")


def _resolve(name: str) -> str:
    """The accelerator that "auto" and "gpu" stand for."""
    if name in ("auto", "gpu"):
        if torch.cuda.is_available():
            return "cuda"
        if torch.backends.mps.is_available():
            return "mps"
    return "cpu" if name == "auto" else name


def _accelerator(name: str, asked: str) -> type[Accelerator]:
    """The class of an accelerator that the machine has."""
    known = ["auto", "gpu", *sorted(AcceleratorRegistry.available_accelerators())]
    if name not in known:
        hint = did_you_mean_name(name, known, cutoff=SHORT_NAMES)
        raise InputError(f"--trainer.accelerator must be one of {', '.join(known)}, got {asked}{hint}")
    accelerator: type[Accelerator] | None = (
        None if name == "gpu" else AcceleratorRegistry[name]["accelerator"]
    )
    if accelerator is None or not accelerator.is_available():
        what = "GPU" if name in ("gpu", "cuda", "mps") else name.upper()
        raise InputError(
            f"--trainer.accelerator {asked}: PyTorch finds no {what} on this machine:"
            " set --trainer.accelerator cpu, or leave it out"
        )
    return accelerator


def _check_devices(devices: Any, accelerator: type[Accelerator], name: str) -> None:
    if devices == "auto":
        return
    try:
        found = accelerator.parse_devices(devices)
    except (TypeError, ValueError) as error:
        kind = "a number >= 1" if name == "cpu" else "a number or a list of device indices"
        raise InputError(f"--trainer.devices must be {kind}, or auto, got {devices}") from error
    except MisconfigurationException as error:
        raise InputError(f"--trainer.devices {devices}: {error}") from error
    cores = os.cpu_count() or 1
    if name == "cpu" and found > cores:
        log.warning(
            "--trainer.devices %d: there are %d CPU cores, so the processes will be slow", found, cores
        )
