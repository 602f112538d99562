"""What has parameters: learnable fractals, LeNet, and the losses between them."""

from fractalgan.nn.fractal_file import FractalFile, read_fractals, shipped_fractals, write_fractals
from fractalgan.nn.fractals import (
    PROBABILITIES,
    FractalEmbedding,
    FractalGenerator,
    MatricesForm,
    ProbabilityRule,
)
from fractalgan.nn.frechet import FrechetPixels, frechet_distance
from fractalgan.nn.lenet import LeNet
from fractalgan.nn.losses import LOSSES, AdversarialLoss, LossName, instance_noise, r1_penalty
from fractalgan.nn.matrices import (
    ClampedMatrices,
    RawMatrices,
    RotationScalingFlip,
    SigmoidMatrices,
    UnboundedMatrices,
)

__all__ = [
    "LOSSES",
    "PROBABILITIES",
    "AdversarialLoss",
    "ClampedMatrices",
    "FractalEmbedding",
    "FractalFile",
    "FractalGenerator",
    "FrechetPixels",
    "LeNet",
    "LossName",
    "MatricesForm",
    "ProbabilityRule",
    "RawMatrices",
    "RotationScalingFlip",
    "SigmoidMatrices",
    "UnboundedMatrices",
    "frechet_distance",
    "instance_noise",
    "r1_penalty",
    "read_fractals",
    "shipped_fractals",
    "write_fractals",
]
