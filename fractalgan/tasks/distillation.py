"""Distillation: labeled fractals move so that networks learn from their images what real ones teach."""

import math

import torch
import torch.nn.functional as F
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Adam, Optimizer

from fractalgan.errors import (
    InputError,
    require_above,
    require_at_least,
    require_choice,
)
from fractalgan.limits import require_sizes
from fractalgan.nn import (
    Augmentation,
    DistillationLoss,
    FractalGenerator,
    Network,
    NetworkName,
    class_sums,
    clip_per_fractal,
    distribution_loss,
    parameter_groups,
    ridge_loss,
    ridge_weights,
)
from fractalgan.randomness import Purpose, RandomSource, generator_for, torch_seeded
from fractalgan.storage import read_fractals
from fractalgan.tasks.distillation_evaluation import DistillationEvaluation
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.schedules import Schedule, schedule_factor


class Distillation(DistillationEvaluation):
    """Labeled fractals, learned so that networks which see only their images classify real ones.

    Each step draws images of the fractals, compares them with a batch of real images by the features of one
    of several networks of different ages, moves the fractals, and trains that network on the drawn images.
    Batches are ``(images [B, C, H, W] in [0, 1], classes [B])``, as ImageData yields them.

    Args:
        fractals: labeled fractals to start from: a file, or a checkpoint or run folder of a task that learned
            them, such as Reconstruction of exemplars or a conditional FractalGAN.
        loss: ridge, the error on real images of a ridge regression fitted to drawn ones (Zhou et al. 2022,
            FRePo); or distribution, the distance of the mean features of each class (Zhao & Bilen 2023).
        num_images: number of drawn images per step, each fractal equally often.
        image_size: height and width in pixels; set by --data.size.
        jitter: std of the Gaussian noise that is added to A, b and colors anew for each image; null keeps
            that of the fractals.
        network: lenet, or convnet, the network that work on data set distillation trains.
        width: channels of each block of a convnet; null is 32.
        networks: number of networks.
        max_age: number of steps after which a network is replaced by a new one.
        network_lr: learning rate of the networks, by Adam.
        ridge: weight of the L2 penalty of the ridge regression, relative to the kernel's mean diagonal.
        rotation: largest random rotation of all images, in degrees, either way.
        shift: largest random shift along each axis, as a share of the image size.
        scale: largest random change of size: factors are between 1 - scale and 1 + scale.
        shear: largest random horizontal shear, in degrees, either way.
        lr: initial learning rate of the fractals, by Adam.
        schedule: learning rate schedule: constant, halving after each quarter of the run, or cosine to 0.
        clip: maximum norm of a fractal's gradient; null disables it.
        seed: random seed; defaults to --seed_everything.
    """

    monitor = "val/error"
    run_name = "distillation"
    callbacks = ("Pictures",)

    def __init__(
        self,
        fractals: str | None = None,
        loss: DistillationLoss = "ridge",
        num_images: int = 260,
        image_size: int = 32,
        jitter: float | None = None,
        network: NetworkName = "convnet",
        width: int | None = None,
        networks: int = 8,
        max_age: int = 100,
        network_lr: float = 1e-3,
        ridge: float = 1e-3,
        rotation: float = 10.0,
        shift: float = 0.08,
        scale: float = 0.15,
        shear: float = 8.0,
        lr: float = 0.01,
        schedule: Schedule = "cosine",
        clip: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_choice(DistillationLoss, loss=loss)
        require_choice(Schedule, schedule=schedule)
        require_sizes(num_images=num_images, networks=networks, max_age=max_age)
        require_above(0, network_lr=network_lr, ridge=ridge, lr=lr, clip=1.0 if clip is None else clip)
        require_at_least(0, jitter=jitter or 0.0)
        self.augmentation = Augmentation(rotation, shift, scale, shear)
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = None
        self.weights = []

    # -- before the first step ------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if self.generator is None:
            if self.hparams["fractals"] is None:
                raise InputError(
                    "set --model.fractals to labeled fractals: learn some with"
                    " fit --config labeled_fractals.yaml"
                )
            try:
                self._adopt(read_fractals(self.hparams["fractals"]), self.hparams["fractals"])
            except InputError as error:
                self.unread = error  # no matter if the run is resumed: its checkpoint has them
        if stage == "fit" and self.hparams["schedule"] != "constant":
            self._require_last_step(f"--model.schedule {self.hparams['schedule']}")

    def configure_optimizers(self) -> list[Optimizer]:
        generator = self._drawn()
        groups = parameter_groups(generator.parameters(), generator.embedding.features)
        networks = self.networks.parameters()
        return [
            Adam(groups, lr=self.hparams["lr"], fused=True),
            Adam(networks, lr=self.hparams["network_lr"], fused=True),
        ]

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self._check_data()

    def next_steps(self) -> dict[str, str]:
        return {"draw": "draw {best}"} | self.next_for_labels()

    # -- training -------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        real, classes = batch
        step, generator = self.global_step, self._drawn()
        number = self._number_of_network(step)
        network = self.networks[number]
        drawn, labels = self._draw(step)
        features = network.embed(drawn)
        with torch.no_grad():
            seen = self.augmentation(real, self._random(step, Purpose.AUGMENTATION))
            real_features = network.embed(seen)
        loss = self._loss(features, labels, real_features, classes)
        taught = F.cross_entropy(network.head(features), labels)
        self.require_finite("the loss", loss, taught)
        self._move(generator, loss, step)
        self._train(network, number, taught)
        if should_log(self.trainer, step + 1):
            self.log("train/loss", loss, prog_bar=True, sync_dist=True)
            self.log("train/network_loss", taught, prog_bar=True)

    def _number_of_network(self, step: int) -> int:
        random = generator_for(self.hparams["seed"], step, Purpose.DISTILLATION_NETWORK)
        return int(torch.randint(len(self.networks), (), generator=random))

    def _draw(self, step: int) -> tuple[Tensor, Tensor]:
        """The images of a step, the same on all ranks, and their labels."""
        embedding, count = self._drawn().embedding, self.hparams["num_images"]
        random = RandomSource(generator_for(self.hparams["seed"], step, Purpose.DISTILLATION))
        passes = -(-count // len(embedding))
        order = [torch.randperm(len(embedding), generator=random.generator) for _ in range(passes)]
        fractals = torch.cat(order)[:count].to(self.device)
        assert embedding.labels is not None
        images = self._drawn().draw(fractals, random)
        return self.augmentation(images, random), embedding.labels[fractals]

    def _loss(self, features: Tensor, labels: Tensor, real_features: Tensor, classes: Tensor) -> Tensor:
        """What the fractals minimize, from features of drawn [S, D] and of this rank's real images [B, D]."""
        number = len(self._drawn().embedding.classes)
        if self.hparams["loss"] == "ridge":
            weights = ridge_weights(features, labels, number, self.hparams["ridge"])
            return ridge_loss(real_features @ weights, classes)
        add_up = self.trainer.strategy.reduce
        real = [add_up(each, reduce_op="sum") for each in class_sums(real_features, classes, number)]
        return distribution_loss(class_sums(features, labels, number), (real[0], real[1]))

    def _move(self, generator: FractalGenerator, loss: Tensor, step: int) -> None:
        """A step of the fractals."""
        optimizer = self._optimizer(0)
        parameters = list(generator.parameters())
        # not `backward`, which would go into the network, too
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
        of_all_ranks = [self.trainer.strategy.reduce(each, reduce_op="mean") for each in gradients]
        limit = math.inf if self.hparams["clip"] is None else self.hparams["clip"]
        for parameter, gradient in zip(parameters, clip_per_fractal(of_all_ranks, limit), strict=True):
            parameter.grad = gradient
        factor = schedule_factor(self.hparams["schedule"], self._progress(step))
        for group in optimizer.param_groups:
            group["lr"] = self.hparams["lr"] * factor * group.get("lr_scale", 1.0)
        optimizer.step()
        generator.embedding.constrain_()

    def _train(self, network: Network, number: int, loss: Tensor) -> None:
        """A step of a network on the drawn images; it is replaced once it is old."""
        optimizer = self._optimizer(1)
        optimizer.zero_grad()
        parameters = list(network.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        # not `optimizer.step()`, which counts: there are two optimizers, but one step per batch
        self.trainer.strategy.optimizer_step(optimizer.optimizer, _no_closure)
        with torch_seeded(self.hparams["seed"], self.global_step, Purpose.DISTILLATION_NETWORK):
            self.networks.grow_(number, optimizer.optimizer)

    def _optimizer(self, number: int) -> LightningOptimizer:
        optimizer = self.optimizers()[number]  # type: ignore[index]
        assert isinstance(optimizer, LightningOptimizer)
        return optimizer


def _no_closure() -> None:
    """The gradients are there already."""
