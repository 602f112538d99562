"""LightningDataModules: real images, and those that fractals draw."""

from fractalgan.data.fractals import FractalData
from fractalgan.data.image_set import ImageSet
from fractalgan.data.images import ImageData
from fractalgan.data.sources import SourceName
from fractalgan.data.stream import EndlessBatches, Place
from fractalgan.data.systems import SystemData
from fractalgan.data.targets import TargetData, TargetName

__all__ = [
    "EndlessBatches",
    "FractalData",
    "ImageData",
    "ImageSet",
    "Place",
    "SourceName",
    "SystemData",
    "TargetData",
    "TargetName",
]
