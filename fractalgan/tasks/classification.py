"""What tasks that train a network to classify images have in common: loss, optimizer, schedule, metrics."""

from abc import ABC
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.errors import InputError, require_above, require_at_least, require_choice
from fractalgan.nn import Network
from fractalgan.randomness import Purpose, torch_seeded
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.schedules import schedule_factor, warmup_factor
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

    network: Network
    accuracy: MulticlassAccuracy

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, classes] of images [B, C, H, W]."""
        logits: Tensor = self.network(images)
        return logits

    def configure_optimizers(self) -> Any:
        optimizer = self._optimizer()
        schedule, warmup = self.hparams["schedule"], self.hparams.get("warmup", 0.0)
        if schedule == "constant" and warmup == 0:
            return optimizer
        self._require_last_step("--model.schedule cosine" if warmup == 0 else "--model.warmup")
        steps = self.trainer.max_steps

        def factor(step: int) -> float:
            rising = warmup_factor((step + 1) / steps, warmup)  # not 0 in the first step
            return rising * schedule_factor(schedule, min(step / steps, 1))

        # not CosineAnnealingLR, which would keep the last step of a run that is extended
        scheduler = LambdaLR(optimizer, factor)
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
        return kind(self.parameter_groups(), **options)

    def parameter_groups(self) -> Any:
        """What the optimizer changes: parameters, or groups of them with learning rates of their own."""
        return self.network.parameters()

    def augmented(self, images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """A batch as the network is trained on it.

        Args:
            images: [B, C, H, W].
            classes: [B].

        Returns:
            Images of the same shape; their classes [B], or the shares of all classes in them, [B, classes].
        """
        return images, classes

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, classes = batch
        changed, targets = self.augmented(images, classes)
        with self._random_layers(), self._single_image_error(len(images)):
            logits = self(changed)
        loss = F.cross_entropy(logits, targets, label_smoothing=self.hparams.get("label_smoothing", 0.0))
        self.require_finite("the loss", loss)
        if should_log(self.trainer, self.global_step + 1):
            self.log("train/loss", loss, prog_bar=True, sync_dist=True)
            likeliest = targets if targets.ndim == 1 else targets.argmax(1)  # of a mixed image
            accuracy = (logits.argmax(1) == likeliest).float().mean()
            self.log("train/accuracy", accuracy, prog_bar=True, sync_dist=True)
        return loss

    @contextmanager
    def _single_image_error(self, number: int) -> Iterator[None]:
        """Raise InputError for what batch norm raises about a single image."""
        try:
            yield
        except ValueError as error:
            if number > 1:
                raise
            raise InputError(
                f"--data.batch_size must be >= 2 for {self.network.title}, whose batch norm needs it, got 1"
            ) from error

    def _random_layers(self) -> AbstractContextManager[None]:
        """A context in which random numbers of layers follow from (seed, step, rank), to resume exactly."""
        if not self.network.may_be_random:
            return nullcontext()
        key = self.global_step, self.global_rank, Purpose.RANDOM_LAYERS
        return torch_seeded(torch.initial_seed(), *key)

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
