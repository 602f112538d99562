"""FractalGAN: learn a set of fractals from real images, against a binary LeNet (Tu et al., Section 5)."""

from collections.abc import Iterable
from typing import Literal

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.utils.data import DataLoader

from fractalgan.cadence import is_logged
from fractalgan.errors import InputError, blame_input, require_above, require_at_least, require_rates
from fractalgan.limits import require_maps, require_sizes
from fractalgan.nn import (
    LOSSES,
    FractalEmbedding,
    FractalGenerator,
    FrechetPixels,
    LeNet,
    LossName,
    MatricesForm,
    instance_noise,
    r1_penalty,
)
from fractalgan.ops import Procedure, check_view, collapse, random_systems
from fractalgan.randomness import TOGETHER, Share, generator_for
from fractalgan.tasks.task import Task

# What random numbers are for: the last word of their key (see randomness.py).
START, TRAIN, NOISE, VALIDATION, PICTURES, PREDICTION = range(6)

# Those that take a learning rate and two betas, and decay no weights unless told to.
OptimizerName = Literal["Adam", "NAdam", "RAdam"]

PREDICTED_IMAGES = 600  # a fractal: the paper's pre-training set


class FractalGAN(Task):
    """J learnable fractals as a GAN's generator, a binary LeNet as its discriminator.

    Every batch is one step: the fractals draw as many images as there are real ones, each fractal
    equally often; the discriminator learns from both, then the fractals from it. Training batches
    are ``(images [B, 1, H, W] in [0, 1], labels)``; the labels are not used.

    Args:
        num_fractals: J, how many fractals are learned.
        num_transforms: N, the affine maps of each.
        num_points: T, the points of an image.
        image_size: height and width in pixels; follows the data.
        window: half the side of the square of the plane that is drawn.
        tau: width of a point, in pixels squared, 1e-4 to 1e4.
        jitter: standard deviation of the noise on A and b that is drawn anew for every image, in training
            as in pre-training: fractals that must look real all around vary more within their class.
        start: how the first fractals are drawn at random.
        matrices: how the matrices are learned: ``sigmoid`` and ``clamp`` are the rotation-scaling-flip
            form and say how its sigma is kept in range, ``unbounded`` leaves it free there; ``raw`` learns
            the entries, without bounds.
        sigma_min: the least singular value; above 0 no map can lose all its probability.
        sigma_max: the largest singular value; below 1 every map is a contraction.
        loss: the adversarial loss.
        r1_gamma: weight of the R1 penalty on the discriminator; 0 is none.
        r1_interval: steps from one R1 penalty to the next; its weight is scaled to make up for them.
        instance_noise: standard deviation of the noise on real and drawn images at the start; it falls
            linearly to 0 at the end of the run.
        parameter_noise: standard deviation of the noise that is added to all fractal parameters: the
            paper's noisy SGD has 0.1; 0 is none.
        parameter_noise_interval: steps from one such noise to the next.
        generator_optimizer: of the fractals.
        generator_lr: its learning rate.
        generator_betas: its two rates of forgetting.
        discriminator_optimizer: of the LeNet.
        discriminator_lr: its learning rate.
        discriminator_betas: its two rates of forgetting.
        seed: of all random numbers; follows --seed_everything.
    """

    monitor = "val/frechet_pixels"  # the lowest is the best checkpoint
    keep_every = 500  # steps: to see what longer training brings to pre-training
    last_r1: Tensor

    def __init__(
        self,
        num_fractals: int = 100,
        num_transforms: int = 10,
        num_points: int = 300,
        image_size: int = 32,
        window: float = 2.5,
        tau: float = 1.0,
        jitter: float = 0.1,
        start: Procedure = "anderson-farrell",
        matrices: MatricesForm = "sigmoid",
        sigma_min: float = 0.05,
        sigma_max: float = 0.9,
        loss: LossName = "non-saturating",
        r1_gamma: float = 5.0,
        r1_interval: int = 8,
        instance_noise: float = 0.2,
        parameter_noise: float = 0.0,
        parameter_noise_interval: int = 5,
        generator_optimizer: OptimizerName = "Adam",
        generator_lr: float = 2e-2,
        generator_betas: tuple[float, float] = (0.5, 0.99),
        discriminator_optimizer: OptimizerName = "Adam",
        discriminator_lr: float = 2e-4,
        discriminator_betas: tuple[float, float] = (0.5, 0.99),
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_sizes(num_fractals=num_fractals, num_transforms=num_transforms, num_points=num_points)
        require_sizes(16, image_size=image_size)  # which the discriminator needs
        require_maps(num_fractals, num_transforms)
        require_at_least(1, r1_interval=r1_interval, parameter_noise_interval=parameter_noise_interval)
        require_at_least(
            0,
            jitter=jitter,
            r1_gamma=r1_gamma,
            instance_noise=instance_noise,
            parameter_noise=parameter_noise,
        )
        require_above(0, generator_lr=generator_lr, discriminator_lr=discriminator_lr)
        require_rates(generator_betas=generator_betas, discriminator_betas=discriminator_betas)
        if not 0 <= sigma_min < sigma_max:
            raise InputError(f"want 0 <= sigma_min < sigma_max, got {sigma_min} and {sigma_max}")
        with blame_input():
            check_view((image_size, image_size), window, tau)
        self.save_hyperparameters()
        self.automatic_optimization = False

        with blame_input(f"start {start}"):
            first = random_systems(start, num_fractals, num_transforms, generator_for(seed, START))
        self.generator = FractalGenerator(
            FractalEmbedding(first, matrices, (sigma_min, sigma_max)),
            image_size,
            num_points,
            window,
            tau,
            jitter,
        )
        self.discriminator = LeNet(outputs=1, image_size=image_size)
        self.loss = LOSSES[loss]
        # R1 comes at intervals, rows of metrics at others: kept, so that a resumed run logs the same
        self.register_buffer("last_r1", torch.zeros(()))
        self.frechet = FrechetPixels()

    def configure_optimizers(self) -> list[Optimizer]:
        return [self._optimizer("generator"), self._optimizer("discriminator")]

    def _optimizer(self, side: Literal["generator", "discriminator"]) -> Optimizer:
        kind: type[Adam] = getattr(torch.optim, self.hparams[f"{side}_optimizer"])
        return kind(
            getattr(self, side).parameters(),
            lr=self.hparams[f"{side}_lr"],
            betas=tuple(self.hparams[f"{side}_betas"]),
            **({"fused": True} if kind is Adam else {}),  # the others have no such form
        )

    def forward(self, fractals: Tensor, random: torch.Generator | None = None) -> Tensor:
        """Fresh images [B, 1, H, W] of ``fractals`` [B]."""
        return self.generator.draw(fractals, random, self._share())

    # -- training -------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        real, _ = batch
        step = self.global_step
        fake = self(self._every_fractal_equally(len(real), step), self._random(step, TRAIN))

        std = self.hparams["instance_noise"] * (1 - self._progress(step))
        random = self._random(step, NOISE)
        real, seen = (instance_noise(images, std, random, self._share()) for images in (real, fake))

        generator, discriminator = self.optimizers()  # type: ignore[attr-defined]
        self._train_discriminator(discriminator, real, seen.detach(), step)
        self._train_generator(generator, seen, step)
        if self.hparams["parameter_noise"] > 0 and step % self.hparams["parameter_noise_interval"] == 0:
            self.generator.embedding.perturb_(self.hparams["parameter_noise"], random)

    def _train_discriminator(
        self, optimizer: LightningOptimizer, real: Tensor, fake: Tensor, step: int
    ) -> None:
        gamma, interval = self.hparams["r1_gamma"], self.hparams["r1_interval"]
        if gamma > 0 and step % interval == 0:
            real = real.detach().requires_grad_()
            real_logits, fake_logits = (self.discriminator(images).squeeze(1) for images in (real, fake))
            r1 = r1_penalty(real_logits, real)
            penalty = gamma / 2 * interval * r1  # as much as one at every step
            self.last_r1.copy_(self.trainer.strategy.reduce(r1.detach(), reduce_op="mean"))
        else:
            real_logits, fake_logits = self.discriminator(torch.cat([real, fake])).squeeze(1).chunk(2)
            penalty = real.new_zeros(())
        loss = self.loss.discriminator(real_logits, fake_logits)
        _do_not_count(optimizer)
        self.require_finite("the discriminator's loss", loss)
        self.require_finite("the R1 penalty", penalty)
        self._descend(optimizer, loss + penalty)
        if is_logged(self.trainer, step + 1):
            self.log("train/discriminator_loss", loss, prog_bar=True, sync_dist=True)
            self.log("train/r1", self.last_r1)
            self._log_judgement("train", real_logits, fake_logits)

    def _train_generator(self, optimizer: LightningOptimizer, fake: Tensor, step: int) -> None:
        # alone, the discriminator's gradients are spared; several processes must find all of them
        self.discriminator.requires_grad_(self.trainer.world_size > 1)
        loss = self.loss.generator(self.discriminator(fake).squeeze(1))
        self.require_finite("the generator's loss", loss)
        self._descend(optimizer, loss)
        self.generator.embedding.constrain_()
        self.discriminator.requires_grad_(True)
        if is_logged(self.trainer, step + 1):
            self.log("train/generator_loss", loss, prog_bar=True, sync_dist=True)

    def _descend(self, optimizer: LightningOptimizer, loss: Tensor) -> None:
        """One step of the optimiser."""
        optimizer.zero_grad()
        if self.trainer.world_size > 1:  # DDP waits for a gradient of every parameter, the other side's too
            loss = loss + 0 * sum(parameter.sum() for parameter in self.parameters())
        self.manual_backward(loss)
        optimizer.step()

    def _every_fractal_equally(self, count: int, step: int) -> Tensor:
        """Which fractals are drawn: all of them in turn, in an order of this step's own."""
        number, share = self.hparams["num_fractals"], self._share()
        order = torch.randperm(number, generator=self._random(step, START))
        together = count * share.processes
        return share.of(order.repeat(-(-together // number))[:together]).to(self.device)

    def _progress(self, step: int) -> float:
        """The share of the run that is done; 0 where the run has no end."""
        return step / self.trainer.max_steps if self.trainer.max_steps > 0 else 0.0

    def _random(self, *key: int) -> torch.Generator:
        return generator_for(self.hparams["seed"], TOGETHER, *key)

    def _share(self) -> Share:
        """This process's part of what all of them draw."""
        return Share(self.trainer.global_rank, self.trainer.world_size) if self._trainer else Share()

    # -- validation, test -----------------------------------------------------------------------

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._evaluate(batch[0], batch_idx, "val")

    def on_validation_epoch_end(self) -> None:
        self._conclude("val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch[0], batch_idx, "test")

    def on_test_epoch_end(self) -> None:
        self._conclude("test")

    def _evaluate(self, real: Tensor, batch_idx: int, stage: str) -> Tensor:
        """Judge fresh images, as many as there are real ones, and return them."""
        fractals = self._every_fractal_equally(len(real), batch_idx)
        fake: Tensor = self(fractals, self._random(batch_idx, VALIDATION))
        real_logits, fake_logits = (self.discriminator(images).squeeze(1) for images in (real, fake))
        self._log_judgement(stage, real_logits, fake_logits)
        self.log(
            f"{stage}/discriminator_loss", self.loss.discriminator(real_logits, fake_logits), sync_dist=True
        )
        self.log(f"{stage}/generator_loss", self.loss.generator(fake_logits), sync_dist=True)
        self.frechet.update(real, real=True)
        self.frechet.update(fake, real=False)
        return fake

    def _conclude(self, stage: str) -> None:
        self.log(f"{stage}/frechet_pixels", self.frechet.compute(), sync_dist=True)
        self.frechet.reset()
        fractals, sequences = self.fixed_sequences()
        found = collapse(self.generator.points(fractals, sequences), self.generator.size)
        self.log(f"{stage}/collapsed", found.any.sum().float(), sync_dist=True)
        for kind in found._fields:
            self.log(f"{stage}/collapsed_{kind}", getattr(found, kind).sum().float(), sync_dist=True)

    def _log_judgement(self, stage: str, real_logits: Tensor, fake_logits: Tensor) -> None:
        """The shares of real and of drawn images that the discriminator takes for what they are."""
        self.log(f"{stage}/accuracy_real", (real_logits > 0).float().mean(), sync_dist=True)
        self.log(f"{stage}/accuracy_fake", (fake_logits < 0).float().mean(), sync_dist=True)

    # -- pictures, prediction -------------------------------------------------------------------

    def fixed_sequences(self) -> tuple[Tensor, Tensor]:
        """All fractals [J] in order, and sequences [J, T] from random numbers that never change."""
        fractals = torch.arange(self.hparams["num_fractals"], device=self.device)
        random = generator_for(self.hparams["seed"], PICTURES)
        return fractals, self.generator.draw_sequences(fractals, random)

    @torch.no_grad()
    def gallery(self) -> Tensor:
        """One image of every fractal [J, 1, H, W], in order, without jitter, from numbers that stay."""
        images: Tensor = self.generator(*self.fixed_sequences())
        return images

    def predict_dataloader(self) -> Iterable[Tensor]:
        """Batches of all fractals, 600 times; --trainer.limit_predict_batches says how often."""
        every = torch.arange(self.hparams["num_fractals"])
        return DataLoader([every] * PREDICTED_IMAGES, batch_size=None)  # type: ignore[arg-type]

    def predict_step(self, batch: Tensor, batch_idx: int) -> tuple[Tensor, Tensor]:
        """The fractals [B] of a batch, and a fresh image [B, 1, H, W] of each."""
        return batch, self(batch, self._random(batch_idx, PREDICTION))


def _do_not_count(optimizer: LightningOptimizer) -> None:
    """Leave this optimiser's next step out of ``global_step``: two optimisers, but one step a batch."""
    optimizer._on_before_step = optimizer._on_after_step = _nothing


def _nothing() -> None:
    pass
