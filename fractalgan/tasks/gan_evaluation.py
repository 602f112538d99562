"""How a GAN with fractals as its generator is validated and tested."""

from collections.abc import Mapping

import torch
from torch import Tensor

from fractalgan.nn import AdversarialLoss, Discriminator, FractalGenerator
from fractalgan.randomness import Purpose, RandomSource, generator_for
from fractalgan.tasks.fractal_task import FractalTask
from fractalgan.tasks.gan_findings import findings
from fractalgan.tasks.gan_labels import require_same_classes
from fractalgan.tasks.gan_scores import GANScores
from fractalgan.tasks.protocols import datamodule_of


class GANEvaluation(FractalTask):
    """The part of FractalGAN that judges what it has learned, on images ``[B, C, H, W]`` in [0, 1].

    Attributes:
        generator: draws the fractals.
        discriminator: tells real from drawn images.
        loss: adversarial loss.
        scores: compare drawn with real images.
    """

    generator: FractalGenerator
    discriminator: Discriminator
    loss: AdversarialLoss
    scores: GANScores

    def learned_fractals(self) -> FractalGenerator:
        return self.generator

    def findings(self, metrics: Mapping[str, float]) -> list[str]:
        scores = {name.partition("/")[2]: value for name, value in metrics.items()}
        return findings(scores, binary=self.scores.binary)

    def forward(self, fractals: Tensor, random: RandomSource | torch.Generator | None = None) -> Tensor:
        """Fresh images [B, C, H, W] of ``fractals`` [B]."""
        return self.generator.draw(fractals, random)

    def _every_fractal_equally(self, count: int, step: int) -> Tensor:
        """Which fractals are drawn [count]: all of them in turn, in an order that follows from the step."""
        number = self.hparams["num_fractals"]
        order = torch.randperm(number, generator=self._random(step, Purpose.GAN_INITIAL).generator)
        total = count * self.shard.world_size
        return self.shard.of(order.repeat(-(-total // number))[:total]).to(self.device)

    def _labels(self, of_real: Tensor, fractals: Tensor) -> tuple[Tensor, Tensor]:
        """The classes of a batch of real images and of ``fractals``, [B] each; zeros without labels."""
        of_fractals = self.generator.embedding.labels
        if of_fractals is None:  # then those of real images may be of any kind
            return torch.zeros_like(fractals), torch.zeros_like(fractals)
        return of_real, of_fractals[fractals]

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.scores.forget()

    def on_validation_start(self) -> None:
        data = datamodule_of(self.trainer)
        require_same_classes(data, self.generator.embedding.classes)
        self.scores.begin(data, self.device)

    on_test_start = on_validation_start

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._evaluate(batch, batch_idx, "val")

    def on_validation_epoch_end(self) -> None:
        self._conclude("val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, batch_idx, "test")

    def on_test_epoch_end(self) -> None:
        self._conclude("test")

    def _evaluate(self, batch: tuple[Tensor, Tensor], batch_idx: int, stage: str) -> Tensor:
        """Evaluate fresh images, as many as there are real ones, and return them."""
        real, classes = batch
        fractals = self._every_fractal_equally(len(real), batch_idx)
        fake: Tensor = self(fractals, self._random(batch_idx, Purpose.GAN_VALIDATION))
        of_real, of_fake = self._labels(classes, fractals)
        real_logits, _ = self.discriminator.judge(real, of_real)
        fake_logits, _ = self.discriminator.judge(fake, of_fake)
        self._log_accuracies(stage, real_logits, fake_logits)
        losses = self.loss.discriminator(real_logits, fake_logits), self.loss.generator(fake_logits)
        names = f"{stage}/discriminator_loss", f"{stage}/generator_loss"
        self.log_dict(dict(zip(names, losses, strict=True)), sync_dist=True)
        self.scores.update(real, fake)
        return fake

    def _conclude(self, stage: str) -> None:
        scores = self.scores.compute(self.generator)
        self.log_dict({f"{stage}/{name}": score for name, score in scores.items()}, sync_dist=True)

    def _log_accuracies(self, stage: str, real_logits: Tensor, fake_logits: Tensor) -> None:
        """The discriminator's accuracy on real and on drawn images."""
        right = {"real": real_logits > 0, "fake": fake_logits < 0}
        accuracies = {f"{stage}/accuracy_{kind}": each.float().mean() for kind, each in right.items()}
        self.log_dict(accuracies, sync_dist=True)

    @torch.no_grad()
    def gallery(self) -> Tensor:
        """One image per fractal [J, C, H, W], in order, without jitter, from the same numbers every time."""
        fractals = torch.arange(self.hparams["num_fractals"], device=self.device)
        random = generator_for(self.hparams["seed"], Purpose.GALLERY)
        images: Tensor = self.generator(fractals, self.generator.draw_sequences(fractals, random))
        return images
