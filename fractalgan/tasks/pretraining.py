"""Pretraining: a LeNet learns to tell fractals apart by the images that they draw (Tu et al., Section 5)."""

from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.errors import InputError, as_input_error, require_above, require_at_least, require_choice
from fractalgan.limits import require_sizes
from fractalgan.nn import LeNet
from fractalgan.randomness import same_weights
from fractalgan.tasks.channels import match_channels
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.protocols import PseudoClasses, datamodule_of
from fractalgan.tasks.schedules import schedule_factor
from fractalgan.tasks.task import Task

OptimizerName = Literal["Adam", "AdamW", "SGD"]
PretrainingSchedule = Literal["constant", "cosine"]

MOMENTUM = 0.9  # of SGD


class Pretraining(Task):
    """A J-way LeNet, trained from scratch on the images of J fractals, each fractal a pseudo-class.

    Batches are ``(images [B, C, H, W] in [0, 1], pseudo-classes [B])``. A linear probe evaluates the features
    of its LeNet.

    Args:
        fractals: source of the images: random, the name of fractals that ship with the project, a
            .safetensors, .json, .flame or .ifs file, a checkpoint of a task that learns fractals, or its run
            folder.
        num_fractals: number of fractals, each a pseudo-class (J).
        image_size: height and width in pixels; set by --data.size.
        channels: 1 for images in grayscale, 3 for color; null follows the fractals.
        optimizer: optimizer; SGD uses Nesterov momentum of 0.9.
        lr: initial learning rate.
        schedule: learning rate schedule: constant, or cosine down to 0 at the last step.
        weight_decay: weight decay, decoupled for AdamW only.
    """

    monitor = "val/loss"
    checkpoint_interval = 1000  # the paper evaluates the features after each
    run_name = "pretraining"
    legacy_options: ClassVar = {"channels": 1}

    def __init__(
        self,
        fractals: str = "random",
        num_fractals: int = 100,
        image_size: int = 32,
        channels: int | None = None,
        optimizer: OptimizerName = "Adam",
        lr: float = 1e-3,
        schedule: PretrainingSchedule = "constant",
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        require_sizes(2, num_fractals=num_fractals)
        require_choice(OptimizerName, optimizer=optimizer)
        require_choice(PretrainingSchedule, schedule=schedule)
        require_above(0, lr=lr)
        require_at_least(0, weight_decay=weight_decay)
        self.save_hyperparameters()
        self._build()
        self.accuracy = MulticlassAccuracy(num_fractals, average="micro")

    def _build(self) -> None:
        with as_input_error():
            options = self.hparams
            self.network = LeNet(options["num_fractals"], options["image_size"], options["channels"] or 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, J] of images [B, C, H, W]."""
        logits: Tensor = self.network(images)
        return logits

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = datamodule_of(self.trainer)
        if data is not None and not isinstance(data, PseudoClasses):
            raise InputError("Pretraining needs images of fractals: use --data fractalgan.FractalData")
        if data is not None:
            remedy = "use other --model.fractals, or --data.features for random ones"
            if match_channels(self.hparams, data.generator.channels, data.source, remedy):
                with same_weights():
                    self._build()

    def next_steps(self) -> dict[str, str]:
        sizes = self.sizes_for_next(image_size="data.size", channels="data.channels")
        return {"probe": f"fit --config probe.yaml --model.backbone {{last}}{sizes}"}

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

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, fractals = batch
        logits = self(images)
        loss = F.cross_entropy(logits, fractals)
        self.require_finite("the loss", loss)
        if should_log(self.trainer, self.global_step + 1):
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
