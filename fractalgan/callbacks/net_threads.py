"""The number of CPU threads of torch, equal in every process and on every machine."""

import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class NetThreads(Callback):
    """Sets the number of torch's threads, after Lightning has set its own for several processes.

    Args:
        count: the number of threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        torch.set_num_threads(self.count)
