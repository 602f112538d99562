"""Has torch compute on as many threads in every process of a run."""

import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class NetThreads(Callback):
    """Sets the number of torch's threads, once Lightning has set its own for several processes.

    Args:
        count: of threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        torch.set_num_threads(self.count)
