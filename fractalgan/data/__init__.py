"""LightningDataModules: real images, in memory."""

from fractalgan.data.image_set import ImageSet
from fractalgan.data.images import ImageData
from fractalgan.data.sources import SourceName
from fractalgan.data.stream import EndlessBatches

__all__ = ["EndlessBatches", "ImageData", "ImageSet", "SourceName"]
