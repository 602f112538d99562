"""FractalAutoencoder: a network encodes an image as a fractal, which draws it again."""

from typing import Any

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import AdamW

from fractalgan.errors import InputError, as_input_error, require_above, require_at_least
from fractalgan.limits import require_sizes
from fractalgan.nn import ImageEncoder, ProbabilityRule, Renderer, Resolution, intersection_over_union
from fractalgan.nn.image_encoder import GROUPS
from fractalgan.ops import Fractals, SequenceKind, Transforms, check_view
from fractalgan.randomness import Purpose, RandomSource, generator_for
from fractalgan.tasks.encoder import Encoder
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.protocols import Sampled, datamodule_of
from fractalgan.tasks.schedules import annealed, schedule_factor

WARM_UP = 100  # steps in which the learning rate grows
WEIGHT_DECAY = 0.01
SHOWN = 100  # images of the gallery


class FractalAutoencoder(Encoder):
    """An autoencoder whose code is a fractal: a network encodes an image, the chaos game decodes it.

    The loss is the MSE between an image and those that its fractal draws, so the gradient passes through the
    renderer into the network. Points are wide at first and narrow at last. The network then rebuilds any
    image like those that it was trained on, in one pass.

    Batches are ``(images [B, 1, H, W] in [0, 1], anything)``, as ImageData and RandomFractalData yield them.
    All random numbers follow from the seed and the step; what is learned does not depend on the number of
    processes that share a batch. Validation scores do, slightly: each process draws images of its own.

    Args:
        num_transforms: number of affine transforms per fractal (N).
        num_points: number of points per image (T); null scales with the image size: 300 at 32 x 32 pixels.
        num_sequences: number of images that each fractal draws at a training step.
        image_size: height and width in pixels; set by --data.size.
        window: half the side length of the square region of the plane that is rendered.
        tau: squared width of a point, in pixels^2; null scales with the image size: 1 up to 32 x 32 pixels.
        tau_start: tau of the first step, at least tau, to which it falls in 60 % of the run.
        probabilities: probabilities of the transforms: in proportion to their determinants, by area (the same
            with a lower bound), or uniform.
        sequences: random index sequences, as in the paper, or even ones, with which images vary less.
        width: channels of the network's first stage, a multiple of 8.
        lr: highest learning rate of AdamW, after 100 steps; it falls to 0 along a cosine.
        seed: random seed; defaults to --seed_everything.
    """

    monitor = "val/mse"
    run_name = "autoencoder"
    callbacks = ("Pictures",)

    def __init__(
        self,
        num_transforms: int = 10,
        num_points: int | None = None,
        num_sequences: int = 2,
        image_size: int = 32,
        window: float = 2.5,
        tau: float | None = None,
        tau_start: float = 8.0,
        probabilities: ProbabilityRule = "uniform",
        sequences: SequenceKind = "even",
        width: int = 32,
        lr: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_sizes(num_transforms=num_transforms, num_sequences=num_sequences, width=width)
        require_above(0, lr=lr)
        if width % GROUPS:
            raise InputError(f"width must be a multiple of {GROUPS}, got {width}")
        self.save_hyperparameters()
        self.renderer = Renderer(image_size, num_points, window, tau, probabilities, sequences)
        with as_input_error("tau_start"):
            check_view(self.renderer.size, window, tau_start)
        require_at_least(self.renderer.tau, tau_start=tau_start)
        # a checkpoint keeps the values, not the rule that they follow
        self.hparams.update(num_points=self.renderer.num_points, tau=self.renderer.tau)
        self.network = ImageEncoder(num_transforms, image_size, window, width)
        self.shown = torch.empty(0, 1, image_size, image_size)  # images of the gallery

    def encode(self, images: Tensor) -> Transforms:
        fractals: Transforms = self.network(images)
        return fractals

    def forward(
        self, images: Tensor, source: RandomSource | torch.Generator | None = None, num_sequences: int = 1
    ) -> Tensor:
        """What the fractals of images [B, 1, H, W] draw, [B, num_sequences, H, W].

        Args:
            images: values in [0, 1].
            source: source of the random numbers, on the CPU; None is torch's global generator.
            num_sequences: images per fractal.
        """
        return self._decode(self.encode(images), RandomSource.of(source), num_sequences)

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage != "fit":
            return
        self._require_last_step("the learning rate schedule")
        data, size = datamodule_of(self.trainer), self.hparams["image_size"]
        if isinstance(data, Sampled):
            self.shown = data.sample(SHOWN)
            if (found := self.shown.shape[-1]) != size:
                raise InputError(f"image_size must be {found}, the size of the images, got {size}")
            if self.shown.shape[1] != 1:
                raise InputError("FractalAutoencoder needs images in grayscale: set --data.channels 1")

    def configure_optimizers(self) -> AdamW:
        return AdamW(self.parameters(), self.hparams["lr"], weight_decay=WEIGHT_DECAY)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # not a scheduler, which would keep the last step of a run that is extended
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        for group in optimizer.param_groups:
            group["lr"] = self._lr(self.global_step)

    def _lr(self, step: int) -> float:
        factor = schedule_factor("cosine", self._progress(step))
        return float(self.hparams["lr"]) * min(1.0, (step + 1) / WARM_UP) * factor

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, step = batch[0], self.global_step
        tau = annealed(self.hparams["tau_start"], self.renderer.tau, self._progress(step))
        drawn = self._decode(
            self.encode(images),
            self._random(step, Purpose.AUTOENCODER_TRAINING),
            self.hparams["num_sequences"],
            self.renderer.resolution._replace(tau=tau),
        )
        loss = (drawn - images).square().mean()
        self.require_finite("the loss", loss)
        if should_log(self.trainer, step + 1):
            self.log("train/mse", loss, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch[0], batch_idx, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch[0], batch_idx, "test")

    def _evaluate(self, images: Tensor, batch_idx: int, stage: str) -> None:
        """The MSE and the IoU of one fresh image of each fractal."""
        drawn = self(images, self._random(batch_idx, Purpose.AUTOENCODER_EVALUATION)).squeeze(1)
        mse = (drawn - images.squeeze(1)).square().mean((1, 2))
        scores = {"mse": mse, "iou": intersection_over_union(drawn, images.squeeze(1))}
        for name, each in scores.items():
            self.log(f"{stage}/{name}", each.mean(), prog_bar=name == "mse", sync_dist=True)

    @torch.no_grad()
    def gallery(self) -> Tensor:
        """The data's sample images as their fractals draw them [n, 1, H, W], from the same random numbers."""
        shown = self.shown.to(next(self.parameters()))
        drawn: Tensor = self(shown, generator_for(self.hparams["seed"], Purpose.GALLERY))
        return drawn

    def _decode(
        self,
        fractals: Transforms,
        source: RandomSource,
        num_sequences: int,
        resolution: Resolution | None = None,
    ) -> Tensor:
        """Images [B, num_sequences, H, W] of fractals A [B, N, 2, 2] and b [B, N, 2]."""
        number = len(fractals.b)
        rows = torch.arange(number, device=fractals.b.device).repeat_interleave(num_sequences)
        sequences = self.renderer.sequences_for(fractals.A, rows, source)
        images = self.renderer.render(Fractals.plain(fractals), rows, sequences, resolution)
        return images.view(number, num_sequences, *self.renderer.size)
