"""A copy of the learned fractals that a run is trained on, to resume it without their original file."""

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.storage import RunFolder, read_fractals, write_fractals


class SaveSourceFractals(Callback):
    """Writes ``fractals.safetensors`` before the first step, unless it exists.

    Args:
        run: the run folder.
        fractals: the name, file, checkpoint or run folder of the fractals.
    """

    def __init__(self, run: RunFolder, fractals: str) -> None:
        self.path = run.fractals
        self.fractals = fractals

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and (trainer.global_step == 0 or not self.path.exists()):
            write_fractals(self.path, read_fractals(self.fractals))
