"""How a set of fractals compares with real images, on the features of a LeNet trained on their classes."""

import logging
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from fractalgan.callbacks.short_training import trained_network
from fractalgan.errors import require_at_least
from fractalgan.nn import LeNet
from fractalgan.randomness import Purpose, generator_for, torch_seeded
from fractalgan.tasks.protocols import Gallery, LabeledImages, datamodule_of

log = logging.getLogger(__name__)

SCALE_IMAGES = 5000  # training images that the scale of the features is measured on
CONFIDENT = 0.9  # probability of a class
KID_SUBSET = 100  # images, or all validation images if there are fewer


class SetMetrics(Callback):
    """Logs Frechet distance, KID and class coverage of the drawn images at every validation.

    First a LeNet, the judge, is trained on the real training images with their labels, which takes some
    seconds. Its 84 features, each scaled to a std of 1 on real images, replace those of Inception, so the
    values compare runs on one data set only. They are logged as ``val/frechet_lenet`` (Heusel et al. 2017)
    and ``val/kid_lenet`` (Binkowski et al. 2018). ``val/classes_covered`` is the exponential of the entropy
    of the judge's predictions for the drawn images: 1 if all of them look like one class, the number of
    classes if they are spread evenly. ``val/recognized`` is the number of fractals whose image, without
    jitter, the judge assigns to a class with a probability above 0.9.

    The task's validation steps must return the images that they draw. Without labels nothing is logged.

    Args:
        steps: training steps of the judge.
        batch_size: images per step.
    """

    def __init__(self, steps: int = 1500, batch_size: int = 128) -> None:
        require_at_least(1, **{"SetMetrics.steps": steps, "SetMetrics.batch_size": batch_size})
        self.steps = steps
        self.batch_size = batch_size
        self.features: _JudgeFeatures | None = None
        self.frechet: FrechetInceptionDistance | None = None
        self.kid: KernelInceptionDistance | None = None
        self.counts = torch.zeros(0)  # drawn images per predicted class

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget the judge of an earlier run, which may have had other data."""
        self.features = self.frechet = self.kid = None

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = datamodule_of(trainer)
        if not isinstance(data, LabeledImages) or not data.classes:
            return
        assert data.train_images is not None
        assert data.validation_images is not None
        device = pl_module.device
        if self.features is None:
            log.info(
                "training a LeNet on the %d real classes, for the metrics: %d steps",
                len(data.classes),
                self.steps,
            )
            judge = self._train_judge(data.train_images, len(data.classes), pl_module.hparams["seed"], device)
            sample, _ = data.train_images[:SCALE_IMAGES]
            self.features = _JudgeFeatures(judge, sample.to(device))
        subset = min(KID_SUBSET, len(data.validation_images))
        self.frechet = FrechetInceptionDistance(self.features, normalize=True).to(device)
        self.kid = KernelInceptionDistance(self.features, subset_size=subset, normalize=True).to(device)
        self.counts = torch.zeros(len(data.classes), device=device)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: tuple[Tensor, Tensor],
        *_: Any,
    ) -> None:
        if self.features is None or self.frechet is None or self.kid is None:
            return
        for images, real in ((batch[0], True), (outputs, False)):
            self.frechet.update(images, real=real)
            self.kid.update(images, real=real)
        self.counts += self.features.judge(outputs).argmax(1).bincount(minlength=len(self.counts))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.frechet is None or self.kid is None:
            return
        pl_module.log("val/frechet_lenet", self.frechet.compute(), sync_dist=True)
        with torch_seeded(
            pl_module.hparams["seed"], Purpose.KID_SUBSETS
        ):  # torchmetrics uses the global generator
            pl_module.log("val/kid_lenet", self.kid.compute()[0], sync_dist=True)
        counts = trainer.strategy.reduce(self.counts, reduce_op="sum")
        shares = counts / counts.sum()
        entropy = -torch.xlogy(shares, shares).sum()
        pl_module.log("val/classes_covered", entropy.exp(), sync_dist=True)
        if isinstance(pl_module, Gallery) and self.features is not None:
            confidences = self.features.judge(pl_module.gallery()).softmax(1).max(1).values
            pl_module.log("val/recognized", (confidences > CONFIDENT).sum().float(), sync_dist=True)

    def _train_judge(self, images: Any, num_classes: int, seed: int, device: torch.device) -> LeNet:
        """A LeNet trained on the real training images; it follows from the seed alone."""
        channels, image_size = images.images.shape[1], images.images.shape[-1]

        def batch(step: int) -> tuple[Tensor, Tensor]:
            random = generator_for(seed, step, Purpose.JUDGE_BATCH)
            pixels, labels = images[torch.randint(len(images), (self.batch_size,), generator=random)]
            return pixels.to(device), labels.to(device)

        def make() -> LeNet:
            return LeNet(num_classes, image_size, channels).to(device)

        return trained_network(make, batch, self.steps, seed, Purpose.JUDGE_WEIGHTS)


class _JudgeFeatures(nn.Module):
    """The judge's features, scaled to a std of 1 on ``real``, in the form that torchmetrics expects."""

    num_features = LeNet.num_features
    std: Tensor

    def __init__(self, judge: LeNet, real: Tensor) -> None:
        super().__init__()
        self.judge = judge
        spread = judge.embed(real).std(0)
        self.register_buffer("std", torch.where(spread > 1e-6, spread, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.judge.embed(images) / self.std
