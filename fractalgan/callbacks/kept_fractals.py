"""Keeps the learned fractals that a run draws from: it goes on with them wherever they came from."""

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer


class KeptFractals(Callback):
    """Writes the fractals of a FractalData to ``path`` before the first step, if they are not there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if trainer.is_global_zero and not self.path.exists():
            data.generator.save(self.path, {"taken_from": data.source})
