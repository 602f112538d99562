"""What has parameters: learnable fractals, LeNet, and the losses between them."""

from fractalgan.nn.candidates import Candidates, require_halvings
from fractalgan.nn.clipping import clip_per_fractal
from fractalgan.nn.collage_start import collage_fractals
from fractalgan.nn.embedding import FractalEmbedding, MatricesForm
from fractalgan.nn.frechet import FrechetPixels, frechet_distance
from fractalgan.nn.generator import VIEW, FractalGenerator
from fractalgan.nn.image_encoder import ImageEncoder
from fractalgan.nn.lenet import LeNet, require_lenet_size
from fractalgan.nn.losses import LOSSES, AdversarialLoss, LossName, instance_noise, r1_penalty
from fractalgan.nn.matrices import (
    ClampedMatrices,
    RawMatrices,
    RotationScalingFlip,
    SigmoidMatrices,
    UnboundedMatrices,
)
from fractalgan.nn.prototypes import assigned_prototypes, choose_prototypes, prototype_distance, pyramid
from fractalgan.nn.renderer import PROBABILITIES, ProbabilityRule, Renderer
from fractalgan.nn.resolution import Resolution, points_for, points_to_cover, tau_for, tau_to_cover
from fractalgan.nn.sample_scores import RealImages, SampleScores
from fractalgan.nn.target_fractals import Objective, TargetFractals
from fractalgan.nn.target_scores import TargetScores, intersection_over_union, warn_of_detail
from fractalgan.storage.fractal_file import FractalFile, read_fractals, shipped_fractals, write_fractals

__all__ = [
    "LOSSES",
    "PROBABILITIES",
    "VIEW",
    "AdversarialLoss",
    "Candidates",
    "ClampedMatrices",
    "FractalEmbedding",
    "FractalFile",
    "FractalGenerator",
    "FrechetPixels",
    "ImageEncoder",
    "LeNet",
    "LossName",
    "MatricesForm",
    "Objective",
    "ProbabilityRule",
    "RawMatrices",
    "RealImages",
    "Renderer",
    "Resolution",
    "RotationScalingFlip",
    "SampleScores",
    "SigmoidMatrices",
    "TargetFractals",
    "TargetScores",
    "UnboundedMatrices",
    "assigned_prototypes",
    "choose_prototypes",
    "clip_per_fractal",
    "collage_fractals",
    "frechet_distance",
    "instance_noise",
    "intersection_over_union",
    "points_for",
    "points_to_cover",
    "prototype_distance",
    "pyramid",
    "r1_penalty",
    "read_fractals",
    "require_halvings",
    "require_lenet_size",
    "shipped_fractals",
    "tau_for",
    "tau_to_cover",
    "warn_of_detail",
    "write_fractals",
]
