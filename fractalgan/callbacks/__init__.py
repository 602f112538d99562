"""What happens around the steps: pictures, progress, checkpoints, an orderly stop."""

from fractalgan.callbacks.checkpoints import BestCheckpoint, KeptCheckpoints, LastCheckpoint, kept_path
from fractalgan.callbacks.interrupt import GracefulStop
from fractalgan.callbacks.kept_fractals import KeptFractals
from fractalgan.callbacks.net_threads import NetThreads
from fractalgan.callbacks.options import KeptOptions
from fractalgan.callbacks.pictures import Pictures, grid, save_picture
from fractalgan.callbacks.predictions import ImageWriter
from fractalgan.callbacks.progress import StepProgress
from fractalgan.callbacks.reconstructions import Film, FittedFractals
from fractalgan.callbacks.set_metrics import SetMetrics
from fractalgan.callbacks.starts import Starts
from fractalgan.callbacks.steps import StepCount
from fractalgan.callbacks.validations import LastValidation

__all__ = [
    "BestCheckpoint",
    "Film",
    "FittedFractals",
    "GracefulStop",
    "ImageWriter",
    "KeptCheckpoints",
    "KeptFractals",
    "KeptOptions",
    "LastCheckpoint",
    "LastValidation",
    "NetThreads",
    "Pictures",
    "SetMetrics",
    "Starts",
    "StepCount",
    "StepProgress",
    "grid",
    "kept_path",
    "save_picture",
]
