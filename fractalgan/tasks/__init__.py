"""LightningModules: their steps, their optimisers, what they log; nothing else."""

from fractalgan.tasks.gan import FractalGAN

__all__ = ["FractalGAN"]
