"""What happens around the steps: pictures, progress, checkpoints, loggers, an orderly stop."""

from fractalgan.callbacks.checkpoints import BestCheckpoint, LastCheckpoint, PeriodicCheckpoint
from fractalgan.callbacks.classification_accuracy_score import ClassificationAccuracyScore
from fractalgan.callbacks.film import Film
from fractalgan.callbacks.fitted_fractals import SaveFittedFractals
from fractalgan.callbacks.graceful_stop import GracefulStop, restore_handlers, set_handlers
from fractalgan.callbacks.hyper_parameters import LogHyperParameters
from fractalgan.callbacks.image_writer import FolderWriter, ImageWriter, ShardWriter
from fractalgan.callbacks.last_validation import FinalValidation, LastValidation
from fractalgan.callbacks.loggers import EventsLogger, JsonLinesLogger
from fractalgan.callbacks.net_threads import NetThreads
from fractalgan.callbacks.pictures import Pictures, save_picture
from fractalgan.callbacks.progress import StepProgress
from fractalgan.callbacks.record_environment import RecordEnvironment
from fractalgan.callbacks.save_config import SaveConfig
from fractalgan.callbacks.saved_backbone import SaveBackbone
from fractalgan.callbacks.set_metrics import SetMetrics
from fractalgan.callbacks.source_fractals import SaveSourceFractals
from fractalgan.callbacks.step_count import StepCount
from fractalgan.callbacks.trackers import MLflowTracker, WandbTracker
from fractalgan.callbacks.training_images import TrainingImages
from fractalgan.nn.grid import grid

__all__ = [
    "BestCheckpoint",
    "ClassificationAccuracyScore",
    "EventsLogger",
    "Film",
    "FinalValidation",
    "FolderWriter",
    "GracefulStop",
    "ImageWriter",
    "JsonLinesLogger",
    "LastCheckpoint",
    "LastValidation",
    "LogHyperParameters",
    "MLflowTracker",
    "NetThreads",
    "PeriodicCheckpoint",
    "Pictures",
    "RecordEnvironment",
    "SaveBackbone",
    "SaveConfig",
    "SaveFittedFractals",
    "SaveSourceFractals",
    "SetMetrics",
    "ShardWriter",
    "StepCount",
    "StepProgress",
    "TrainingImages",
    "WandbTracker",
    "grid",
    "restore_handlers",
    "save_picture",
    "set_handlers",
]
