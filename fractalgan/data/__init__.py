"""LightningDataModules: real images, targets to reconstruct, and images that fractals draw."""

from fractalgan.data.datamodule import Batches, DataModule
from fractalgan.data.fractals import FractalData
from fractalgan.data.image_set import ImageSet
from fractalgan.data.images import ImageData
from fractalgan.data.labeled_fractals import LabeledFractalData
from fractalgan.data.random_fractals import RandomFractalData
from fractalgan.data.sources import OWN_SIZES, SourceName
from fractalgan.data.stream import EndlessBatches, StreamPosition
from fractalgan.data.synthetic import SYNTHETIC
from fractalgan.data.targets import TargetData, TargetName

__all__ = [
    "OWN_SIZES",
    "SYNTHETIC",
    "Batches",
    "DataModule",
    "EndlessBatches",
    "FractalData",
    "ImageData",
    "ImageSet",
    "LabeledFractalData",
    "RandomFractalData",
    "SourceName",
    "StreamPosition",
    "TargetData",
    "TargetName",
]
