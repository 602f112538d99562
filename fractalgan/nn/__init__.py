"""What has parameters: learnable fractals, LeNet, and the losses between them."""

from fractalgan.nn.augmentation import Augmentation
from fractalgan.nn.backbone_export import BACKBONE_FORMATS, export_backbone
from fractalgan.nn.backbones import Backbone
from fractalgan.nn.candidates import Candidates, require_halvings
from fractalgan.nn.clipping import clip_per_fractal
from fractalgan.nn.collage_start import collage_fractals
from fractalgan.nn.conditional import (
    AuxiliaryDiscriminator,
    Conditional,
    Discriminator,
    ProjectionDiscriminator,
    Verdict,
    make_discriminator,
)
from fractalgan.nn.convnet import ConvNet
from fractalgan.nn.distillation import (
    ClassSums,
    DistillationLoss,
    class_sums,
    distribution_loss,
    ridge_loss,
    ridge_weights,
)
from fractalgan.nn.embedding import FractalEmbedding, MatricesForm
from fractalgan.nn.features import FeatureName, FractalFeatures, parameter_groups
from fractalgan.nn.frechet import FrechetPixels, frechet_distance
from fractalgan.nn.generator import VIEW, FractalGenerator
from fractalgan.nn.image_encoder import ImageEncoder
from fractalgan.nn.image_features import (
    POINTS_PER_TRANSFORM,
    backgrounds,
    covered_shapes,
    features_at,
    outline,
    shapes,
)
from fractalgan.nn.layer_rates import layer_groups
from fractalgan.nn.lenet import LeNet, require_lenet_size
from fractalgan.nn.losses import LOSSES, AdversarialLoss, LossName, instance_noise, r1_penalty
from fractalgan.nn.matrices import (
    ClampedMatrices,
    RawMatrices,
    RotationScalingFlip,
    SigmoidMatrices,
    UnboundedMatrices,
)
from fractalgan.nn.morph import between, matched
from fractalgan.nn.network import Network
from fractalgan.nn.network_pool import NetworkPool
from fractalgan.nn.networks import NETWORKS, NetworkName, make_network, network_of
from fractalgan.nn.prototypes import choose_prototypes, prototype_distance, prototype_order, pyramid
from fractalgan.nn.renderer import Renderer
from fractalgan.nn.resolution import Resolution, points_for, points_to_cover, tau_for, tau_to_cover
from fractalgan.nn.sample_scores import RealImages, SampleScores
from fractalgan.nn.sparse_gradients import keep_drawn_rows
from fractalgan.nn.target_fractals import Objective, Part, TargetFractals
from fractalgan.nn.target_scores import TargetScores, intersection_over_union, warn_of_detail
from fractalgan.nn.views import MAX_ZOOM, MIN_ZOOM, Detail, image_in_view, picture_layer
from fractalgan.nn.zoom_center import zoom_center
from fractalgan.ops import PROBABILITIES, ProbabilityRule
from fractalgan.storage import FractalFile, Labels, read_fractals, shipped_fractals, write_fractals

__all__ = [
    "BACKBONE_FORMATS",
    "LOSSES",
    "MAX_ZOOM",
    "MIN_ZOOM",
    "NETWORKS",
    "POINTS_PER_TRANSFORM",
    "PROBABILITIES",
    "VIEW",
    "AdversarialLoss",
    "Augmentation",
    "AuxiliaryDiscriminator",
    "Backbone",
    "Candidates",
    "ClampedMatrices",
    "ClassSums",
    "Conditional",
    "ConvNet",
    "Detail",
    "Discriminator",
    "DistillationLoss",
    "FeatureName",
    "FractalEmbedding",
    "FractalFeatures",
    "FractalFile",
    "FractalGenerator",
    "FrechetPixels",
    "ImageEncoder",
    "Labels",
    "LeNet",
    "LossName",
    "MatricesForm",
    "Network",
    "NetworkName",
    "NetworkPool",
    "Objective",
    "Part",
    "ProbabilityRule",
    "ProjectionDiscriminator",
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
    "Verdict",
    "backgrounds",
    "between",
    "choose_prototypes",
    "class_sums",
    "clip_per_fractal",
    "collage_fractals",
    "covered_shapes",
    "distribution_loss",
    "export_backbone",
    "features_at",
    "frechet_distance",
    "image_in_view",
    "instance_noise",
    "intersection_over_union",
    "keep_drawn_rows",
    "layer_groups",
    "make_discriminator",
    "make_network",
    "matched",
    "network_of",
    "outline",
    "parameter_groups",
    "picture_layer",
    "points_for",
    "points_to_cover",
    "prototype_distance",
    "prototype_order",
    "pyramid",
    "r1_penalty",
    "read_fractals",
    "require_halvings",
    "require_lenet_size",
    "ridge_loss",
    "ridge_weights",
    "shapes",
    "shipped_fractals",
    "tau_for",
    "tau_to_cover",
    "warn_of_detail",
    "write_fractals",
    "zoom_center",
]
