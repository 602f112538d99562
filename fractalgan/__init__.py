"""Learn fractals from images by gradient descent.

The public names are loaded when they are first used: importing the package alone is instant.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "FractalData": "fractalgan.data",
    "FractalEmbedding": "fractalgan.nn",
    "FractalGAN": "fractalgan.tasks",
    "FractalGenerator": "fractalgan.nn",
    "ImageData": "fractalgan.data",
    "InverseEncoder": "fractalgan.tasks",
    "LeNet": "fractalgan.nn",
    "LinearProbe": "fractalgan.tasks",
    "Pretraining": "fractalgan.tasks",
    "Reconstruction": "fractalgan.tasks",
    "SystemData": "fractalgan.data",
    "TargetData": "fractalgan.data",
    "Transforms": "fractalgan.ops",
    "anderson_farrell": "fractalgan.ops",
    "fractaldb": "fractalgan.ops",
    "render": "fractalgan.ops",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
