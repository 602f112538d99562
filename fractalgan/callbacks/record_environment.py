"""A record of what every start of a run used: versions, hardware, command line."""

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.distributed import rank_zero_only
from fractalgan.storage import RunFolder, record_start


class RecordEnvironment(Callback):
    """Appends an entry to environment.json when training starts.

    Args:
        run: the run folder.
        seed: the random seed of the run.
    """

    def __init__(self, run: RunFolder, seed: int) -> None:
        self.path = run.environment
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
