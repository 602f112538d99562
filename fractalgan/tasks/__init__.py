"""LightningModules: their steps, their optimisers, what they log; nothing else."""

from fractalgan.tasks.gan import FractalGAN
from fractalgan.tasks.inverse_encoder import InverseEncoder
from fractalgan.tasks.pretraining import Pretraining
from fractalgan.tasks.probe import LinearProbe
from fractalgan.tasks.reconstruction import Reconstruction, Results
from fractalgan.tasks.task import Task

__all__ = ["FractalGAN", "InverseEncoder", "LinearProbe", "Pretraining", "Reconstruction", "Results", "Task"]
