"""Learn fractals from images by gradient descent.

Public names are imported when they are first used: importing the package alone is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fractalgan.data import FractalData, ImageData, LabeledFractalData, RandomFractalData, TargetData
    from fractalgan.nn import ConvNet, FractalEmbedding, FractalGenerator, Labels, LeNet
    from fractalgan.ops import Features, Transforms, anderson_farrell, fractaldb, render
    from fractalgan.tasks import (
        Classifier,
        Distillation,
        FractalAutoencoder,
        FractalGAN,
        InverseEncoder,
        LinearProbe,
        Pretraining,
        Reconstruction,
    )

__version__ = "0.2.0"

__all__ = [
    "Classifier",
    "ConvNet",
    "Distillation",
    "Features",
    "FractalAutoencoder",
    "FractalData",
    "FractalEmbedding",
    "FractalGAN",
    "FractalGenerator",
    "ImageData",
    "InverseEncoder",
    "LabeledFractalData",
    "Labels",
    "LeNet",
    "LinearProbe",
    "Pretraining",
    "RandomFractalData",
    "Reconstruction",
    "TargetData",
    "Transforms",
    "__version__",
    "anderson_farrell",
    "fractaldb",
    "render",
]

# The rooms that public names come from, the lightest to import first.
_ROOMS = ("ops", "nn", "data", "tasks")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for room in _ROOMS:
            module = import_module(f"fractalgan.{room}")
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
