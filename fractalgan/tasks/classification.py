"""What tasks that train a network to classify images have in common: loss, optimizer, schedule, metrics."""

from abc import ABC
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.errors import require_above, require_at_least, require_choice
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.schedules import schedule_factor
from fractalgan.tasks.task import Task

OptimizerName = Literal["Adam", "AdamW", "SGD"]
NetworkSchedule = Literal["constant", "cosine"]

MOMENTUM = 0.9  # of SGD


class ClassificationTask(Task, ABC):
    """A task that trains a network by cross-entropy.

    Batches are ``(images [B, C, H, W] in [0, 1], classes [B])``. Its hyperparameters have optimizer, lr,
    schedule and weight_decay, and may have label_smoothing.

    Attributes:
        network: logits [B, classes] of images [B, C, H, W].
        accuracy: of all images of a validation or test.
    """

    network: nn.Module
    accuracy: MulticlassAccuracy

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, classes] of images [B, C, H, W]."""
        logits: Tensor = self.network(images)
        return logits

    def configure_optimizers(self) -> Any:
        optimizer = self._optimizer()
        if self.hparams["schedule"] == "constant":
            return optimizer
        self._require_last_step("--model.schedule cosine")
        steps = self.trainer.max_steps
        # not CosineAnnealingLR, which would keep the last step of a run that is extended
        scheduler = LambdaLR(optimizer, lambda step: schedule_factor("cosine", min(step / steps, 1)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _optimizer(self) -> torch.optim.Optimizer:
        options: dict[str, Any] = {
            "lr": self.hparams["lr"],
            "weight_decay": self.hparams["weight_decay"],
            "fused": True,
        }
        if self.hparams["optimizer"] == "SGD":
            options |= {"momentum": MOMENTUM, "nesterov": True}
        kind: type[torch.optim.Optimizer] = getattr(torch.optim, self.hparams["optimizer"])
        return kind(self.network.parameters(), **options)

    def augmented(self, images: Tensor) -> Tensor:
        """The images [B, C, H, W] of a batch as the network is trained on them."""
        return images

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, classes = batch
        logits = self(self.augmented(images))
        loss = F.cross_entropy(logits, classes, label_smoothing=self.hparams.get("label_smoothing", 0.0))
        self.require_finite("the loss", loss)
        if should_log(self.trainer, self.global_step + 1):
            self.log("train/loss", loss, prog_bar=True, sync_dist=True)
            accuracy = (logits.argmax(1) == classes).float().mean()
            self.log("train/accuracy", accuracy, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, classes = batch
        logits = self(images)
        self.accuracy(logits, classes)
        self.log("val/loss", F.cross_entropy(logits, classes), sync_dist=True)
        self.log("val/accuracy", self.accuracy, on_step=False, on_epoch=True)


def check_optimizer(optimizer: str, lr: float, schedule: str, weight_decay: float) -> None:
    """Raise InputError for the first option that is out of range."""
    require_choice(OptimizerName, optimizer=optimizer)
    require_choice(NetworkSchedule, schedule=schedule)
    require_above(0, lr=lr)
    require_at_least(0, weight_decay=weight_decay)
