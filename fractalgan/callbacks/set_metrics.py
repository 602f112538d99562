"""How a set of fractals compares with the real images, seen by a LeNet that learned the real classes."""

import logging
from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from fractalgan.errors import require_at_least
from fractalgan.nn import LeNet
from fractalgan.randomness import generator_for, torch_seeded

log = logging.getLogger("fractalgan.callbacks")

# What random numbers are for: the last word of their key.
WEIGHTS, BATCH, SUBSETS = range(400, 403)

LEARNING_RATE = 1e-3
SCALED_BY = 5000  # training images, by which features get their scale
KID_SUBSET = 100  # images, or as many as there are for validation


class SetMetrics(Callback):
    """Frechet distance, KID and coverage of the drawn images at every validation, on LeNet's features.

    A LeNet learns the real training images with their labels first, which takes some seconds; its 84
    features, each scaled to deviation 1 on real images, take the place of Inception's. So the figures
    compare runs on one data set alone, and are called ``val/frechet_lenet`` and ``val/kid_lenet``
    (Heusel et al. 2017; Binkowski et al. 2018). ``val/classes_covered`` is over how many real classes
    the drawn images are spread: the exponential of the entropy of the classes that the LeNet takes them
    for, 1 where it is a single one.

    The task's validation steps must return the images that they draw. Without labels nothing is logged.

    Args:
        steps: for which the LeNet learns.
        batch_size: images a step.
    """

    def __init__(self, steps: int = 1500, batch_size: int = 128) -> None:
        require_at_least(1, **{"SetMetrics.steps": steps, "SetMetrics.batch_size": batch_size})
        self.steps = steps
        self.batch_size = batch_size
        self.features: _Features | None = None
        self.frechet: FrechetInceptionDistance | None = None
        self.kid: KernelInceptionDistance | None = None
        self.counts = torch.zeros(0)  # of the classes that the drawn images are taken for

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget the data of an earlier run."""
        self.features = self.frechet = self.kid = None

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not data.classes:
            return
        device = pl_module.device
        if self.features is None:
            log.info(
                "a LeNet learns the %d real classes, to judge by: %d steps", len(data.classes), self.steps
            )
            judge = self._learn(data, pl_module.hparams["seed"], device)
            self.features = _Features(judge, data.train_images[:SCALED_BY][0].to(device))
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
        with torch_seeded(pl_module.hparams["seed"], SUBSETS):  # from which KID draws its subsets
            pl_module.log("val/kid_lenet", self.kid.compute()[0], sync_dist=True)
        counts = trainer.strategy.reduce(self.counts, reduce_op="sum")
        shares = counts / counts.sum()
        entropy = -torch.xlogy(shares, shares).sum()
        pl_module.log("val/classes_covered", entropy.exp(), sync_dist=True)

    def _learn(self, data: Any, seed: int, device: torch.device) -> LeNet:
        """A LeNet trained on the real training images; the same for the same seed, whatever came before."""
        images = data.train_images
        with torch_seeded(seed, WEIGHTS), torch.enable_grad(), torch.inference_mode(False):
            judge = LeNet(len(data.classes), image_size=images.images.shape[-1]).to(device)
            optimizer = torch.optim.Adam(judge.parameters(), LEARNING_RATE, fused=True)
            for step in range(self.steps):
                random = generator_for(seed, step, BATCH)
                chosen = torch.randint(len(images), (self.batch_size,), generator=random)
                pixels, labels = images[chosen]
                optimizer.zero_grad()
                loss = F.cross_entropy(judge(pixels.to(device)), labels.to(device))
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        return judge.requires_grad_(False)


class _Features(nn.Module):
    """The judge's features, of deviation 1 on ``real``, in the form that torchmetrics wants of a network."""

    num_features = LeNet.num_features
    deviation: Tensor

    def __init__(self, judge: LeNet, real: Tensor) -> None:
        super().__init__()
        self.judge = judge
        spread = judge.embed(real).std(0)
        self.register_buffer("deviation", torch.where(spread > 1e-6, spread, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.judge.embed(images) / self.deviation
