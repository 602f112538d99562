"""What all tasks have in common: what is best, what is kept, and the task's name in its checkpoints."""

from typing import Any

from pytorch_lightning import LightningModule


class Task(LightningModule):
    """A LightningModule whose runs the command line can keep: fit, resume, judge and name."""

    monitor: str  # the metric whose lowest value makes the best checkpoint
    keep_every: int | None = None  # steps from one checkpoint that is kept for good to the next

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["task"] = type(self).__name__
