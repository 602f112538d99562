"""What has parameters: learnable fractals, LeNet, and the losses between them."""

from fractalgan.nn.fractals import FractalEmbedding, FractalGenerator, MatricesForm
from fractalgan.nn.lenet import LeNet
from fractalgan.nn.losses import LOSSES, AdversarialLoss, LossName, instance_noise, r1_penalty
from fractalgan.nn.matrices import ClampedMatrices, RawMatrices, RotationScalingFlip, SigmoidMatrices
from fractalgan.nn.pixels import CoarsePixels

__all__ = [
    "LOSSES",
    "AdversarialLoss",
    "ClampedMatrices",
    "CoarsePixels",
    "FractalEmbedding",
    "FractalGenerator",
    "LeNet",
    "LossName",
    "MatricesForm",
    "RawMatrices",
    "RotationScalingFlip",
    "SigmoidMatrices",
    "instance_noise",
    "r1_penalty",
]
