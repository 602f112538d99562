"""Records what each start of a run was made with, in its folder."""

from pathlib import Path

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.environment import record_start
from fractalgan.ranks import rank_zero_only


class Starts(Callback):
    """Appends to ``path`` at the start of training: seed, device, processes, and what the program runs with.

    Args:
        path: a JSON file.
        seed: of the run.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.seed = seed

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        device = trainer.strategy.root_device
        record_start(
            self.path,
            step=trainer.global_step,
            seed_everything=self.seed,
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            processes=trainer.world_size,
            precision=str(trainer.precision),
        )
