"""What can be done next, as commands to copy."""

import os
import shutil
import sys
from pathlib import Path

from pytorch_lightning import LightningModule

from fractalgan.run_folder import RunFolder
from fractalgan.shipped import CONFIGS

# What comes after a run of a task.
NEXT = {
    "FractalGAN": {
        "next": "predict --ckpt_path {best}",
        "use": "fit --config {configs}/pretraining.yaml --model.fractals {best}{num_fractals}{image_size}",
    },
    "Pretraining": {"next": "fit --config {configs}/probe.yaml --model.backbone {last}{image_size}"},
    "LinearProbe": {"next": "test --ckpt_path {best}"},
    "InverseEncoder": {
        "use": "fit --config {configs}/reconstruction.yaml --model.start {best}"
        "{image_size}{num_transforms}{window}",
    },
    "Reconstruction": {
        "use": "fit --config {configs}/pretraining.yaml --model.fractals {fractals}{num_targets}{image_size}",
    },
}

# Parameters that the next stage must be told unless they are the default: its option, the default.
SIZES = {
    "image_size": ("data.size", 32),
    "num_fractals": ("model.num_fractals", 100),
    "num_targets": ("model.num_fractals", 100),
    "num_transforms": ("model.num_transforms", 10),
    "window": ("model.window", 2.5),
}


def next_commands(**commands: str) -> list[str]:
    """Lines that say what can be done next: ``next_commands(resume="fit --ckpt_path last")``."""
    width = max((len(name) for name in commands), default=0) + 1
    return [f"{name + ':':<{width}} {_python()} -m {command}" for name, command in commands.items()]


def after_fit(folder: RunFolder, model: LightningModule, finished: bool) -> list[str]:
    """What can be done with what a run has left, a line each."""
    checkpoints = [path for path in (folder.best, folder.last) if path.exists()]
    if not checkpoints:
        return []
    if not finished:
        return next_commands(**{"go on": f"fractalgan fit --ckpt_path {checkpoints[-1]}"})
    places = {
        "best": checkpoints[0],
        "last": checkpoints[-1],
        "fractals": folder.fractals,
        "configs": os.path.relpath(CONFIGS),
    }
    for name, (option, default) in SIZES.items():
        value = model.hparams.get(name, default)
        places[name] = "" if value == default else f" --{option} {value}"
    commands = {
        name: "fractalgan " + command.format(**places)
        for name, command in NEXT.get(type(model).__name__, {}).items()
        # one fractal is no set of pseudo-classes
        if "{num_targets}" not in command or model.hparams["num_targets"] > 1
    }
    return next_commands(**commands, watch=f"tensorboard.main --logdir {folder.path.parent}")


def _python() -> str:
    """How this interpreter is called from the current folder."""
    executable = Path(sys.executable)
    if shutil.which("python") == str(executable):
        return "python"
    here = executable.is_relative_to(Path.cwd())
    return str(executable.relative_to(Path.cwd()) if here else executable)
