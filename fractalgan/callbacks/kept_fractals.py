"""Keeps the learned fractals that a run draws from: it goes on with them wherever they came from."""

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.nn import read_fractals, write_fractals


class KeptFractals(Callback):
    """Writes learned fractals to ``path`` before the first step, if they are not there yet.

    Args:
        path: a safetensors file.
        fractals: their name, file or checkpoint.
    """

    def __init__(self, path: Path, fractals: str) -> None:
        self.path = path
        self.fractals = fractals

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and (trainer.global_step == 0 or not self.path.exists()):
            write_fractals(self.path, read_fractals(self.fractals))
