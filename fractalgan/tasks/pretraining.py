"""Pretraining: a LeNet learns to tell fractals apart by the images that they draw (Tu et al., Section 5)."""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.cadence import is_logged
from fractalgan.errors import InputError, blame_input, require_above, require_at_least
from fractalgan.limits import require_sizes
from fractalgan.nn import LeNet
from fractalgan.tasks.task import Task

OptimizerName = Literal["Adam", "AdamW", "SGD"]
Schedule = Literal["constant", "cosine"]

MOMENTUM = 0.9  # of SGD


class Pretraining(Task):
    """A J-way LeNet from scratch on the images of J fractals, each fractal a pseudo-class.

    Batches are ``(images [B, 1, H, W] in [0, 1], pseudo-classes [B])``. The features of its LeNet are
    what a linear probe judges.

    Args:
        fractals: what draws the images: ``random``, the name of learned fractals that ship with the
            project, their safetensors or JSON file, or a checkpoint of FractalGAN.
        num_fractals: J, the pseudo-classes.
        image_size: height and width in pixels; follows the data.
        optimizer: its name; SGD has Nesterov's momentum of 0.9.
        lr: the learning rate, at the start.
        schedule: of the learning rate: ``constant``, or ``cosine`` down to 0 at the last step.
        weight_decay: added to the gradient, but for AdamW, which shrinks the weights by it.
    """

    monitor = "val/loss"  # the lowest is the best checkpoint
    keep_every = 1000  # steps: the paper judges the features after each

    def __init__(
        self,
        fractals: str = "random",
        num_fractals: int = 100,
        image_size: int = 32,
        optimizer: OptimizerName = "Adam",
        lr: float = 1e-3,
        schedule: Schedule = "constant",
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        require_sizes(2, num_fractals=num_fractals)
        require_above(0, lr=lr)
        require_at_least(0, weight_decay=weight_decay)
        self.save_hyperparameters()
        with blame_input():
            self.network = LeNet(outputs=num_fractals, image_size=image_size)
        self.accuracy = MulticlassAccuracy(num_fractals, average="micro")

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, J] of images [B, 1, H, W]."""
        logits: Tensor = self.network(images)
        return logits

    def setup(self, stage: str) -> None:
        if hasattr(self.trainer.datamodule, "classes"):  # type: ignore[attr-defined]
            raise InputError("Pretraining learns from what fractals draw: give --data fractalgan.FractalData")

    def configure_optimizers(self) -> Any:
        optimizer = self._optimizer()
        if self.hparams["schedule"] == "constant":
            return optimizer
        steps = self.trainer.max_steps
        if steps < 1:
            raise InputError("schedule cosine needs to know the last step: give --trainer.max_steps")
        # by its own rule, not CosineAnnealingLR: that keeps the last step of a run that is extended
        scheduler = LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * min(step / steps, 1))) / 2)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _optimizer(self) -> torch.optim.Optimizer:
        given: dict[str, Any] = {
            "lr": self.hparams["lr"],
            "weight_decay": self.hparams["weight_decay"],
            "fused": True,
        }
        if self.hparams["optimizer"] == "SGD":
            given |= {"momentum": MOMENTUM, "nesterov": True}
        kind: type[torch.optim.Optimizer] = getattr(torch.optim, self.hparams["optimizer"])
        return kind(self.network.parameters(), **given)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, fractals = batch
        logits = self(images)
        loss = F.cross_entropy(logits, fractals)
        self.require_finite("the loss", loss)
        if is_logged(self.trainer, self.global_step + 1):
            self.log("train/loss", loss, prog_bar=True, sync_dist=True)
            accuracy = (logits.argmax(1) == fractals).float().mean()
            self.log("train/accuracy", accuracy, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, fractals = batch
        logits = self(images)
        self.accuracy(logits, fractals)
        self.log("val/loss", F.cross_entropy(logits, fractals), sync_dist=True)
        self.log("val/accuracy", self.accuracy, on_step=False, on_epoch=True)
