"""LightningModules: their steps, their optimizers, what they log; nothing else."""

from fractalgan.tasks.autoencoder import FractalAutoencoder
from fractalgan.tasks.classifier import Classifier
from fractalgan.tasks.distillation import Distillation
from fractalgan.tasks.encoder import Encoder
from fractalgan.tasks.fractal_task import FractalTask
from fractalgan.tasks.gan import FractalGAN
from fractalgan.tasks.inverse_encoder import InverseEncoder
from fractalgan.tasks.pretraining import Pretraining
from fractalgan.tasks.probe import LinearProbe
from fractalgan.tasks.reconstruction import Reconstruction
from fractalgan.tasks.task import Task

__all__ = [
    "Classifier",
    "Distillation",
    "Encoder",
    "FractalAutoencoder",
    "FractalGAN",
    "FractalTask",
    "InverseEncoder",
    "LinearProbe",
    "Pretraining",
    "Reconstruction",
    "Task",
]
