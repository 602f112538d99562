"""FractalGAN: learn a set of fractals from real images, against a LeNet (Tu et al., Section 5)."""

from typing import Any, ClassVar, Literal

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Adam, Optimizer, SparseAdam

from fractalgan.nn import (
    LOSSES,
    Conditional,
    LossName,
    MatricesForm,
    ProbabilityRule,
    instance_noise,
    keep_drawn_rows,
    parameter_groups,
    prototype_distance,
    r1_penalty,
)
from fractalgan.ops import SequenceKind
from fractalgan.randomness import Purpose
from fractalgan.tasks.feature_options import Blend, resolve_features
from fractalgan.tasks.gan_options import GANStart, GeneratorOptimizerName, OptimizerName, check_options
from fractalgan.tasks.gan_preparation import GANPreparation
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.schedules import Schedule, schedule_factor

Side = Literal["generator", "discriminator"]


class FractalGAN(GANPreparation):
    """A GAN with J learnable fractals as its generator and a LeNet as real/fake discriminator.

    Each batch is one step: the fractals draw as many images as there are real ones, each fractal equally
    often; the discriminator learns from both, then the fractals from the discriminator. Training batches are
    ``(images [B, C, H, W] in [0, 1], labels [B])``; the labels are used if it is conditional.

    Args:
        num_fractals: number of fractals (J).
        num_transforms: number of affine transforms per fractal (N).
        num_points: number of points per image (T); null scales with the image size: 300 at 32 x 32 pixels.
        image_size: height and width in pixels; set by --data.size.
        window: half the side length of the square region of the plane that is rendered.
        tau: squared width of a point, in pixels^2, from 1e-4 to 1e4: at a distance of sqrt(tau) pixels, its
            brightness falls to 1/e; null adapts it to the prototype of each fractal, so that points cover its
            bright area three times, from about 0.25 to 4; without prototypes, to the mean training image.
        jitter: std of the Gaussian noise that is added to A and b anew for each image, in training, in
            validation and in predictions, so that images of one fractal vary more; for b relative to the
            window, so that it is the same number of pixels in every window; colors get it, too.
        probabilities: of the transforms in the chaos game: uniform, or determinant, as in the paper, in
            proportion to the area that a transform keeps, or area, the same with a lower bound.
        sequences: random index sequences, as in the paper, or even ones, with which images vary less.
        start: procedure that samples the initial fractals; even has transforms of similar size. collage
            searches for them: collages of the prototypes.
        matrices: parametrization of the linear maps. sigmoid and clamp factorize them into rotations,
            scaling and flips, with singular values between sigma_min and sigma_max; unbounded is the same
            without bounds; raw learns the entries of A.
        sigma_min: lower bound of the singular values of A; above 0, no transform loses all its probability
            where that follows the determinant.
        sigma_max: upper bound of the singular values of A; below 1, every transform is a contraction.
        features: what each transform carries: 3 numbers, a color; 1, a gray level; or 0, as in the paper,
            which draws white on black. null follows the images: 3 for those in color, else 0.
        blend: share of the previous point in the features of a point, in [0, 1]; or learned.
        background: gray level or color of the background, as a list of numbers in [0, 1]; null learns one
            for each fractal.
        loss: adversarial loss.
        prototypes: weight of the distance between drawn images and the prototype of their fractal, a second
            loss beside the adversarial one; 0 disables it, as in the paper. Prototypes are training images:
            those nearest to the centers of k-means clusters. Checkpoints contain them, in 8 bits.
        conditional: how the discriminator uses labels; null does not use them. Otherwise fractals are shared
            out to the classes of the data, and keep the labels: num_fractals must be at least the number of
            classes, and prototypes are of the class of their fractal. projection adds the inner product of
            its features and an embedding of the class to the logit; auxiliary names the class by a second
            head, whose cross-entropy is added to the losses of both sides.
        r1_gamma: weight of the R1 penalty on the discriminator; 0 disables it.
        r1_interval: number of steps between R1 penalties, which multiplies their weight.
        instance_noise: initial std of the Gaussian noise that is added to real and drawn images; it decays
            linearly to 0 at the end of the run.
        parameter_noise: std of the Gaussian noise that is added to the transforms; 0 disables it.
        parameter_noise_interval: number of steps between additions of parameter noise.
        generator_optimizer: optimizer of the fractals; SparseAdam moves only those that a step draws, which
            is for more fractals than images per batch.
        generator_lr: learning rate of the fractals.
        generator_schedule: learning rate schedule of the fractals: constant, halving after each quarter of
            the run, or cosine to 0; the last two need to know the last step, max_steps.
        generator_betas: betas of the optimizer of the fractals.
        discriminator_optimizer: optimizer of the LeNet.
        discriminator_lr: learning rate of the LeNet.
        discriminator_betas: betas of the optimizer of the LeNet.
        seed: random seed; defaults to --seed_everything.
    """

    monitor = "val/shape_distance"
    checkpoint_interval = 500  # to see what longer training gains in pre-training
    run_name = "gan"
    callbacks = ("Pictures",)
    legacy_options: ClassVar = {
        "probabilities": "determinant",
        "sequences": "random",
        "prototypes": 0.0,
        "generator_schedule": "constant",
        "features": 0,
        "blend": 0.0,
        "background": None,
        "conditional": None,
    }
    last_r1: Tensor

    def __init__(
        self,
        num_fractals: int = 100,
        num_transforms: int = 10,
        num_points: int | None = None,
        image_size: int = 32,
        window: float = 2.5,
        tau: float | None = None,
        jitter: float = 0.05,
        probabilities: ProbabilityRule = "uniform",
        sequences: SequenceKind = "even",
        start: GANStart = "anderson-farrell",
        matrices: MatricesForm = "sigmoid",
        sigma_min: float = 0.05,
        sigma_max: float = 0.9,
        features: int | None = None,
        blend: Blend = 0.0,
        background: list[float] | None = None,
        loss: LossName = "non-saturating",
        prototypes: float = 100.0,
        conditional: Conditional | None = None,
        r1_gamma: float = 5.0,
        r1_interval: int = 8,
        instance_noise: float = 0.2,
        parameter_noise: float = 0.0,
        parameter_noise_interval: int = 5,
        generator_optimizer: GeneratorOptimizerName = "Adam",
        generator_lr: float = 5e-2,
        generator_schedule: Schedule = "cosine",
        generator_betas: tuple[float, float] = (0.5, 0.99),
        discriminator_optimizer: OptimizerName = "Adam",
        discriminator_lr: float = 2e-4,
        discriminator_betas: tuple[float, float] = (0.5, 0.99),
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        check_options(self.hparams)
        self.automatic_optimization = False
        self.tau_follows_data = tau is None
        self._build()
        # a checkpoint keeps the values, not the rule that they follow
        self.hparams.update(num_points=self.generator.num_points, tau=self.generator.tau)
        self.loss = LOSSES[loss]
        # R1 and logging have intervals of their own: kept, so that a resumed run logs the same
        self.register_buffer("last_r1", torch.zeros(()))

    def next_steps(self) -> dict[str, str]:
        size = self.sizes_for_next(image_size="data.size")
        number = self.sizes_for_next(num_fractals="model.num_fractals")
        steps = {
            "draw": "draw {best}",
            "images": "predict --ckpt_path {best}",
            "pre-train": f"fit --config pretraining.yaml --model.fractals {{best}}{number}{size}",
        }
        return steps | self.next_for_labels()

    def configure_optimizers(self) -> list[Optimizer]:
        return [self._optimizer("generator"), self._optimizer("discriminator")]

    def _optimizer(self, side: Side) -> Optimizer:
        module = self.generator if side == "generator" else self.discriminator
        kind: type[Adam] = getattr(torch.optim, self.hparams[f"{side}_optimizer"])
        optimizer = kind(
            parameter_groups(module.parameters(), self.generator.embedding.features),
            lr=self.hparams[f"{side}_lr"],
            betas=tuple(self.hparams[f"{side}_betas"]),
            **({"fused": True} if kind is Adam else {}),  # the others have no fused form
        )
        if isinstance(optimizer, SparseAdam):
            optimizer.register_step_pre_hook(keep_drawn_rows)
        return optimizer

    # -- training -------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        real, labels = batch
        step = self.global_step
        resolve_features(self.hparams, real.shape[1], "the batch")
        if self._needs_images():  # there is no data module, which has more images than one batch
            gathered: Any = self.all_gather(real)
            self._adapt(gathered.flatten(0, -4).cpu())
        fractals = self._every_fractal_equally(len(real), step)
        fake = self(fractals, self._random(step, Purpose.GAN_TRAINING))

        std = self.hparams["instance_noise"] * (1 - self._progress(step))
        random = self._random(step, Purpose.GAN_NOISE)
        noisy_real, noisy_fake = (instance_noise(images, std, random) for images in (real, fake))

        generator, discriminator = self.optimizers()  # type: ignore[attr-defined]
        of_real, of_fake = self._labels(labels, fractals)
        self._train_discriminator(
            discriminator, (noisy_real, noisy_fake.detach()), torch.cat([of_real, of_fake]), step
        )
        distance = fake.new_zeros(())
        if self.hparams["prototypes"] > 0 and self.prototypes is not None:
            distance = prototype_distance(fake, self.prototypes[fractals].to(fake.dtype) / 255)
        self._train_generator(generator, noisy_fake, of_fake, distance, step)
        if self.hparams["parameter_noise"] > 0 and step % self.hparams["parameter_noise_interval"] == 0:
            self.generator.embedding.perturb_(self.hparams["parameter_noise"], random.generator)

    def _train_discriminator(
        self, optimizer: LightningOptimizer, images: tuple[Tensor, Tensor], labels: Tensor, step: int
    ) -> None:
        """A step of the discriminator on real and drawn images [B, C, H, W], with labels [2 B] of both."""
        real, fake = images
        gamma, interval = self.hparams["r1_gamma"], self.hparams["r1_interval"]
        if gamma > 0 and step % interval == 0:
            real = real.detach().requires_grad_()
            of_real, of_fake = labels.chunk(2)
            real_logits, loss_of_real = self.discriminator.judge(real, of_real)
            fake_logits, loss_of_fake = self.discriminator.judge(fake, of_fake)
            r1 = r1_penalty(real_logits, real)
            penalty = gamma / 2 * interval * r1  # as much as one at every step
            self.last_r1.copy_(self.trainer.strategy.reduce(r1.detach(), reduce_op="mean"))
        else:
            verdict = self.discriminator.judge(torch.cat([real, fake]), labels)
            (real_logits, fake_logits), (loss_of_real, loss_of_fake) = (each.chunk(2) for each in verdict)
            penalty = real.new_zeros(())
        loss = self.loss.discriminator(real_logits, fake_logits)
        class_loss = loss_of_real.mean() + loss_of_fake.mean()
        self.require_finite("the discriminator's loss", loss, class_loss)
        self.require_finite("the R1 penalty", penalty)
        self._backward(optimizer, loss + class_loss + penalty)
        self._step_uncounted(optimizer)
        if should_log(self.trainer, step + 1):
            self.log("train/discriminator_loss", loss, prog_bar=True, sync_dist=True)
            self.log("train/r1", self.last_r1)
            if self.hparams["conditional"] == "auxiliary":
                self.log("train/class_loss", class_loss, sync_dist=True)
            self._log_accuracies("train", real_logits, fake_logits)

    def _train_generator(
        self, optimizer: LightningOptimizer, fake: Tensor, labels: Tensor, distance: Tensor, step: int
    ) -> None:
        """A step of the fractals, by their images [B, C, H, W] with labels [B]."""
        # without DDP, which waits for all gradients, the discriminator's need not be computed
        self.discriminator.requires_grad_(self._is_parallel())
        logits, class_losses = self.discriminator.judge(fake, labels)
        loss, class_loss = self.loss.generator(logits), class_losses.mean()
        self.require_finite("the generator's loss", loss, class_loss, distance)
        factor = schedule_factor(self.hparams["generator_schedule"], self._progress(step))
        for group in optimizer.param_groups:
            group["lr"] = self.hparams["generator_lr"] * factor * group.get("lr_scale", 1.0)
        self._backward(optimizer, loss + class_loss + self.hparams["prototypes"] * distance)
        optimizer.step()
        self.generator.embedding.constrain_()
        self.discriminator.requires_grad_(True)
        if should_log(self.trainer, step + 1):
            self.log("train/generator_loss", loss, prog_bar=True, sync_dist=True)
            self.log("train/prototype_distance", distance, sync_dist=True)

    def _backward(self, optimizer: LightningOptimizer, loss: Tensor) -> None:
        """The gradients of the loss for the parameters of this optimizer, in place of those it had."""
        optimizer.zero_grad()
        if self._is_parallel():  # DDP waits for a gradient of every parameter, of the other side, too
            loss = loss + 0 * sum(parameter.sum() for parameter in self.parameters())
        self.manual_backward(loss)
