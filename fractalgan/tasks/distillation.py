"""Distillation: labeled fractals move so that networks learn from their images what real ones teach."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from fractalgan.errors import InputError, require_above, require_at_least, require_choice
from fractalgan.limits import require_sizes
from fractalgan.nn import (
    Augmentation,
    ClassSums,
    DistillationLoss,
    NetworkName,
    class_sums,
    clip_per_fractal,
    distribution_loss,
    parameter_groups,
    ridge_loss,
    ridge_weights,
)
from fractalgan.randomness import Purpose, RandomSource, generator_for
from fractalgan.tasks.distillation_evaluation import DistillationEvaluation
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.schedules import Schedule, schedule_factor

NetworkImages = Literal["real", "drawn"]


class Distillation(DistillationEvaluation):
    """Labeled fractals, learned so that networks which see only their images classify real ones.

    Each step draws images of the fractals, compares them with a batch of real images by the features of one
    of several networks of different ages, moves the fractals, and trains that network. All images of a step
    are rotated, shifted, scaled and sheared alike (siamese augmentation: Zhao & Bilen, ICML 2021).
    Batches are ``(images [B, C, H, W] in [0, 1], classes [B])``, as ImageData yields them.

    Args:
        fractals: labeled fractals to start from: a name, such as digits-labeled; a file; or a checkpoint or
            run folder of a task that learned them, such as Reconstruction of exemplars or a conditional
            FractalGAN.
        loss: distribution, the squared distance of the mean features of each class (Zhao & Bilen 2023),
            relative to the mean squared norm of the features of real images; or ridge, the error on real
            images of a ridge regression fitted to drawn ones (Zhou et al. 2022, FRePo).
        num_images: number of drawn images per step, of fractals in random order. If there are more fractals,
            the distribution loss is an unbiased estimate of that of all; it needs two images per class.
        image_size: height and width in pixels; set by --data.size.
        jitter: std of the Gaussian noise that is added to A, b and colors anew for each image; null keeps
            that of the fractals.
        network: lenet, or convnet, the network that work on data set distillation trains.
        width: channels of each block of a convnet; null is 32.
        network_images: images that the networks are trained on: real (Zhao et al. 2023, IDM), or drawn, as in
            FRePo.
        networks: number of networks, of which each step trains one.
        max_age: number of its steps after which a network is replaced by a new one; at 1, all are untrained.
        network_lr: learning rate of the networks, by Adam.
        ridge: weight of the L2 penalty of ridge regressions, those of validations included, relative to the
            mean squared norm of the features.
        rotation: largest random rotation of the images of a step, in degrees, either way.
        shift: largest random shift along each axis, as a share of the image size.
        scale: largest random change of size: factors are between 1 - scale and 1 + scale.
        shear: largest random horizontal shear, in degrees, either way.
        speckle: largest standard deviation of speckle noise in all images, as for Classifier.
        lr: initial learning rate of the fractals, by Adam.
        schedule: learning rate schedule: constant, halving after each quarter of the run, or cosine to 0.
        clip: maximum norm of a fractal's gradient; null disables it.
        seed: random seed; defaults to --seed_everything.
    """

    run_name = "distillation"
    callbacks = ("Pictures",)

    def __init__(
        self,
        fractals: str | None = None,
        loss: DistillationLoss = "distribution",
        num_images: int = 260,
        image_size: int = 32,
        jitter: float | None = None,
        network: NetworkName = "convnet",
        width: int | None = None,
        network_images: NetworkImages = "real",
        networks: int = 8,
        max_age: int = 100,
        network_lr: float = 1e-3,
        ridge: float = 1e-3,
        rotation: float = 10.0,
        shift: float = 0.08,
        scale: float = 0.15,
        shear: float = 8.0,
        speckle: float = 0.0,
        lr: float = 0.005,
        schedule: Schedule = "cosine",
        clip: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_choice(DistillationLoss, loss=loss)
        require_choice(Schedule, schedule=schedule)
        require_choice(NetworkName, network=network)
        require_sizes(num_images=num_images, networks=networks, image_size=image_size)
        require_above(0, network_lr=network_lr, ridge=ridge, lr=lr, clip=1.0 if clip is None else clip)
        require_choice(NetworkImages, network_images=network_images)
        require_at_least(0, jitter=jitter or 0.0)
        require_at_least(1, max_age=max_age)
        self.augmentation = Augmentation(rotation, shift, scale, shear, speckle=speckle)
        self.save_hyperparameters()
        self.automatic_optimization = False

    # -- before the first step ------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage != "fit":
            return
        if self.trainer.precision == "16-mixed":  # whose scaled gradients only `manual_backward` makes
            raise InputError("Distillation needs more than half precision: set --trainer.precision 32-true")
        if self.hparams["loss"] == "distribution":
            require_enough_images(self.hparams["num_images"], self.set_sizes)
        if self.hparams["schedule"] != "constant":
            self._require_last_step(f"--model.schedule {self.hparams['schedule']}")

    def configure_optimizers(self) -> list[Optimizer]:
        generator = self.learned_fractals()
        groups = parameter_groups(generator.parameters(), generator.embedding.features)
        return [
            Adam(groups, lr=self.hparams["lr"], fused=True),
            Adam(self.networks.parameters(), lr=self.hparams["network_lr"], fused=True),
        ]

    def next_steps(self) -> dict[str, str]:
        return {"draw": "draw {best}"} | self.next_for_labels()

    # -- training -------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        real, classes = batch
        step = self.global_step
        # not this rank's rows of random numbers: all ranks draw the same images
        random = RandomSource(generator_for(self.hparams["seed"], step, Purpose.DISTILLATION))
        number = int(torch.randint(len(self.networks), (), generator=random.generator))
        network = self.networks[number]
        shared = self.augmentation.numbers(1, random)
        drawn, labels = self._draw(random, shared)
        features = network.embed(drawn)
        of_real = self.hparams["network_images"] == "real"
        with torch.set_grad_enabled(of_real):
            seen = self.augmentation(real, self._random(step, Purpose.AUGMENTATION), shared)
            real_features = network.embed(seen)
        loss = self._loss(features, labels, real_features.detach(), classes)
        trained_on = (real_features, classes) if of_real else (features, labels)
        network_loss = F.cross_entropy(network.head(trained_on[0]), trained_on[1])
        self.require_finite("the loss", loss)
        self.require_finite("the loss of a network", network_loss)
        # not `backward`, by which each loss would reach the parameters of both
        of_fractals = torch.autograd.grad(loss, [*self.learned_fractals().parameters()], retain_graph=True)
        of_network = torch.autograd.grad(network_loss, [*network.parameters()])
        self._train(number, self._over_ranks(of_network, "mean"), step)
        self._move(self._over_ranks(of_fractals, "mean"), step)
        if should_log(self.trainer, step + 1):
            self.log("train/loss", loss, prog_bar=True, sync_dist=True)
            self.log("train/network_loss", network_loss, prog_bar=True, sync_dist=True)

    def _draw(self, random: RandomSource, shared: Tensor) -> tuple[Tensor, Tensor]:
        """Augmented images [S, C, H, W], none of a fractal twice before one of each; their labels [S]."""
        generator, count = self.learned_fractals(), self.hparams["num_images"]
        order = torch.randperm(len(generator.embedding), generator=random.generator)
        fractals = order.repeat(-(-count // len(order)))[:count].to(self.device)
        images = generator.draw(fractals, random)
        return self.augmentation(images, random, shared), self.labels[fractals]

    def _loss(self, features: Tensor, labels: Tensor, real_features: Tensor, classes: Tensor) -> Tensor:
        """What the fractals minimize, from features of drawn [S, D] and of this rank's real images [B, D]."""
        number = len(self.learned_fractals().embedding.classes)
        with torch.autocast(self.device.type, enabled=False):  # half precision is too coarse for both
            features, real_features = features.to(self.dtype), real_features.to(self.dtype)
            if self.hparams["loss"] == "ridge":
                weights = ridge_weights(features, labels, number, self.hparams["ridge"])
                return ridge_loss(real_features @ weights, classes)
            of_all = ClassSums(*self._over_ranks(class_sums(real_features, classes, number), "sum"))
            return distribution_loss(class_sums(features, labels, number), of_all, self.set_sizes)

    def _train(self, number: int, gradients: list[Tensor], step: int) -> None:
        """An optimizer step of a network."""
        optimizer = self._optimizer(1)
        optimizer.zero_grad()  # of the network of the step before
        set_gradients(self.networks[number].parameters(), gradients)
        self._step_uncounted(optimizer)
        key = self.hparams["seed"], step, Purpose.DISTILLATION_NETWORK
        self.networks.grow_(number, optimizer.optimizer, *key)

    def _move(self, gradients: list[Tensor], step: int) -> None:
        """A step of the fractals."""
        optimizer, generator = self._optimizer(0), self.learned_fractals()
        limit = math.inf if self.hparams["clip"] is None else self.hparams["clip"]
        set_gradients(generator.parameters(), clip_per_fractal(gradients, limit))
        factor = schedule_factor(self.hparams["schedule"], self._progress(step))
        for group in optimizer.param_groups:
            group["lr"] = self.hparams["lr"] * factor * group.get("lr_scale", 1.0)
        optimizer.step()
        generator.embedding.constrain_()

    def _over_ranks(self, tensors: Sequence[Tensor], operation: Literal["mean", "sum"]) -> list[Tensor]:
        """Tensors, averaged or added over the ranks; all get the same numbers, even if rounding differs."""
        numbers = torch.cat([each.flatten() for each in tensors])
        reduced: Tensor = self.trainer.strategy.reduce(numbers, reduce_op=operation)
        parts = torch.split(reduced, [each.numel() for each in tensors])
        return [part.view(each.shape) for part, each in zip(parts, tensors, strict=True)]

    def _optimizer(self, number: int) -> LightningOptimizer:
        optimizer = self.optimizers()[number]  # type: ignore[index]
        assert isinstance(optimizer, LightningOptimizer)
        return optimizer


def require_enough_images(num_images: int, set_sizes: Tensor) -> None:
    """Raise InputError unless the distribution loss sees the variance of each class in a step.

    Args:
        num_images: number of drawn images per step.
        set_sizes: number of fractals of each class, [classes].
    """
    classes = len(set_sizes)
    each, word = (1, "one") if int(set_sizes.max()) == 1 else (2, "two")
    if num_images < each * classes:
        raise InputError(
            f"num_images must be >= {each * classes}, {word} for each of {classes} classes, got {num_images}"
        )


def set_gradients(parameters: Iterable[nn.Parameter], gradients: Iterable[Tensor]) -> None:
    """Copy gradients, in the memory layout of their parameters: fused optimizers take it for granted."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.empty_like(parameter).copy_(gradient)
