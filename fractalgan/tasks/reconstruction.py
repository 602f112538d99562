"""Reconstruction: rebuild images, each as one fractal, by pixel MSE (Tu et al., Section 4, Table 1)."""

import math
from typing import Any, ClassVar

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Adam

from fractalgan.errors import InputError
from fractalgan.nn import (
    FractalGenerator,
    MatricesForm,
    Objective,
    Part,
    ProbabilityRule,
    Resolution,
    TargetScores,
    clip_per_fractal,
    parameter_groups,
    points_for,
    tau_for,
    warn_of_detail,
)
from fractalgan.ops import SequenceKind
from fractalgan.tasks.feature_options import Blend, resolve_features
from fractalgan.tasks.fractal_task import FractalTask
from fractalgan.tasks.gathering import TargetGatherer
from fractalgan.tasks.initial_fractals import fitted_fractals, target_fractals
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.protocols import Targets, datamodule_of
from fractalgan.tasks.reconstruction_options import NoisyPart, check_options
from fractalgan.tasks.schedules import Schedule, annealed, schedule_factor


class Reconstruction(FractalTask):
    """One fractal for each target image, learned by the MSE of the images that it draws.

    Each step is a step for every target, which draws ``num_sequences`` images. Its random numbers follow from
    (seed, target, step), and its gradient is clipped alone, so a target's fractal depends neither on the
    other targets nor on the number of processes that share them.

    Batches are ``(targets [n, C, H, W], rows [n])``, as TargetData yields them.

    Args:
        num_targets: number of targets; null uses all targets of the data.
        num_transforms: number of affine transforms per fractal (N).
        num_points: number of points per image (T); null scales with the image size: 300 at 32 x 32 pixels.
        num_sequences: number of images per target and step, shared out among the candidates.
        image_size: height and width in pixels; set by --data.size.
        window: half the side length of the square region of the plane that is rendered.
        tau: squared width of a point, in pixels^2, from 1e-4 to 1e4: at a distance of sqrt(tau) pixels, its
            brightness falls to 1/e; null scales with the image size: 1 up to 32 x 32 pixels, 1.41 at 64 x 64.
        tau_start: tau of the first step; it falls to tau in 60 % of the run while the number of points grows
            in proportion. null keeps both constant.
        coverage: how often the points cover the bright area of the average target, or with features what is
            not background; sets num_points, where that is null.
        sequences: random index sequences, as in the paper, or even ones, with which images vary less.
        start: initial fractals: random ones by anderson-farrell, fractaldb, or even (of similar size);
            collage, copies of the target that cover it; or an encoder's prediction, by its checkpoint.
        objective: whether each step draws new index sequences (expectation) or the same ones, sampled once
            for the initial fractal (fixed, Eq. 9).
        matrices: parametrization of the linear maps. sigmoid and clamp factorize them into rotations,
            scaling and flips, with singular values between sigma_min and sigma_max; unbounded is the same
            without bounds; raw learns the entries of A.
        sigma_min: lower bound of the singular values of A.
        sigma_max: upper bound of the singular values of A.
        features: what each transform carries: 3 numbers, a color; 1, a gray level; or 0, as in the paper,
            which draws white on black. null follows the images: 3 for those in color, else 0.
        blend: share of the previous point in the features of a point, in [0, 1]; or learned.
        background: gray level or color of the background, as a list of numbers in [0, 1]; null learns one
            for each fractal.
        probabilities: of the transforms: in proportion to their determinants, as in the paper; that with a
            lower bound, for thin transforms (area); or uniform.
        candidates: number of initial fractals per target, which compete by successive halving.
        halvings: steps after which the better half of the candidates remains.
        noise: std of the Gaussian noise that is added to the transforms (noisy SGD); 0 disables it.
        noise_interval: number of steps between additions of noise.
        noise_share: fraction of the run, from its start, during which noise is added.
        noise_on: parameters that noise is added to: all, or those of the matrices only.
        lr: initial learning rate of Adam.
        schedule: learning rate schedule: constant, halving after each quarter of the run, or cosine to 0.
        clip: maximum norm of a fractal's gradient, for matrices, b and features separately; null disables it.
        chunk: number of targets that are drawn at a time; affects speed and memory only. GPUs need more.
        seed: random seed; defaults to --seed_everything.
    """

    monitor = "val/mse_min"
    legacy_options: ClassVar = {"features": 0, "blend": 0.0, "background": None}
    independent_targets = True
    broadcast_buffers = False  # ranks learn different targets
    run_name = "reconstruction"
    callbacks = ("Pictures", "SaveFittedFractals", "Film")
    legacy_names = {
        "generator": "fractals.generator",
        "order": "fractals.candidates.ranking",
        "recent": "fractals.candidates.running_loss",
        "first": "fractals.initial_probabilities",
        "indices": "fractals.target_indices",
    }

    def __init__(
        self,
        num_targets: int | None = None,
        num_transforms: int = 10,
        num_points: int | None = None,
        num_sequences: int = 50,
        image_size: int = 32,
        window: float = 2.5,
        tau: float | None = None,
        tau_start: float | None = None,
        coverage: float | None = None,
        sequences: SequenceKind = "random",
        start: str = "anderson-farrell",
        objective: Objective = "expectation",
        matrices: MatricesForm = "sigmoid",
        sigma_min: float = 0.05,
        sigma_max: float = 0.9,
        features: int | None = None,
        blend: Blend = 0.0,
        background: list[float] | None = None,
        probabilities: ProbabilityRule = "determinant",
        candidates: int = 1,
        halvings: list[int] = [],  # noqa: B006
        noise: float = 0.1,
        noise_interval: int = 10,
        noise_share: float = 0.6,
        noise_on: NoisyPart = "all",
        lr: float = 0.05,
        schedule: Schedule = "halving",
        clip: float | None = 1.0,
        chunk: int = 20,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if coverage is not None and num_points is not None and num_targets is None:
            raise InputError("num_points or coverage must be null, got both")
        self.save_hyperparameters()
        # a checkpoint keeps the values, not the rule that they follow
        self.hparams["num_points"] = points_for(image_size) if num_points is None else num_points
        self.hparams["tau"] = tau_for(image_size) if tau is None else tau
        check_options(self.hparams)
        self.automatic_optimization = False
        self.results: TargetScores | None = None  # of the last validation, for all targets
        if num_targets is not None:
            self.hparams["features"] = features or 0
            indices = torch.arange(num_targets)
            self.fractals = target_fractals(self.hparams, indices)

    # -- before the first step ------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        super().setup(stage)
        known = self.hparams["num_targets"]
        if stage == "predict":
            if known is None:
                raise InputError("no fractals have been learned yet: set --ckpt_path to a checkpoint")
            return
        data = datamodule_of(self.trainer)
        if not isinstance(data, Targets) or data.targets is None:
            raise InputError("Reconstruction needs target images: use --data fractalgan.TargetData")
        number, ranks = len(data.targets), self.trainer.world_size
        if known not in (None, number):
            raise InputError(f"num_targets must be {number}, the targets of {data.source}, got {known}")
        resolve_features(self.hparams, data.targets.shape[1], data.source)
        if number < ranks:
            raise InputError(f"{ranks} processes need at least {ranks} targets, got {number}")
        if self.trainer.precision == "16-mixed":
            raise InputError("Reconstruction needs full precision: set --trainer.precision 32-true")
        if stage == "fit":
            self._require_last_step("the learning rate schedule")
        if known is None:
            self.hparams["num_targets"] = number
            shares = TargetGatherer(number, self.shard, self.trainer.strategy)
            self.fractals = fitted_fractals(self.hparams, data, shares)

    def learned_fractals(self) -> FractalGenerator:
        return self.fractals.learned()

    def gallery(self) -> Tensor:
        return self.fractals.gallery()

    def next_steps(self) -> dict[str, str]:
        steps = {"draw": "draw {best}", "images": "predict --ckpt_path {best}"}
        if self.hparams["num_targets"] > 1:  # one fractal is no set of pseudo-classes
            sizes = self.sizes_for_next(num_targets="model.num_fractals", image_size="data.size")
            steps["pre-train"] = f"fit --config pretraining.yaml --model.fractals {{best}}{sizes}"
        return steps | self.next_for_labels()

    def configure_optimizers(self) -> Adam:
        # not fused: that form rounds a target's numbers by their place among the others
        parameters = [each for part in self.fractals.learned_parameters().values() for each in part]
        groups = parameter_groups(parameters, self.fractals.generator.embedding.features)
        return Adam(groups, lr=self.hparams["lr"])

    # -- training -------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        targets, rows = batch
        step = self.global_step
        losses, gradients = self.fractals.losses_and_gradients(targets, rows, step, self._resolution(step))
        self._step(gradients, step)
        self._perturb(rows, step)
        self.fractals.candidates.update(losses, rows, step)
        if should_log(self.trainer, step + 1):
            self.log("train/mse", self._mean_of_all(losses.amin(1)), prog_bar=True)
            self.log("targets", float(len(self.fractals)), prog_bar=True, logger=False)

    def _step(self, gradients: dict[Part, list[Tensor]], step: int) -> None:
        limit = math.inf if self.hparams["clip"] is None else self.hparams["clip"]
        for part, parameters in self.fractals.learned_parameters().items():
            clipped = clip_per_fractal(gradients[part], limit) if parameters else []
            for parameter, gradient in zip(parameters, clipped, strict=True):
                parameter.grad = gradient
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        for group in optimizer.param_groups:
            group["lr"] = self._lr(step) * group.get("lr_scale", 1.0)
        optimizer.step()
        self.fractals.generator.embedding.constrain_()

    def _perturb(self, rows: Tensor, step: int) -> None:
        std, interval = self.hparams["noise"], self.hparams["noise_interval"]
        if std > 0 and self._progress(step) < self.hparams["noise_share"] and step % interval == 0:
            self.fractals.perturb_(rows, step, std, matrices_only=self.hparams["noise_on"] == "matrices")

    def _mean_of_all(self, losses: Tensor) -> Tensor:
        """The mean over all ranks' targets with a finite loss. Raises FloatingPointError for none."""
        finite = losses[losses.isfinite()]
        known = torch.stack([finite.sum(), finite.new_tensor(len(finite))])
        total, count = self.trainer.strategy.reduce(known, reduce_op="sum")
        if not count:
            raise FloatingPointError(f"the loss of every target is not finite at step {self.global_step}")
        mean: Tensor = total / count
        return mean

    def _resolution(self, step: int) -> Resolution:
        """Points are wide at first and few, for a smooth loss, then narrower and more."""
        final = self.fractals.generator.resolution
        start = self.hparams["tau_start"]
        return final if start is None else final.at_tau(annealed(start, final.tau, self._progress(step)))

    def _lr(self, step: int) -> float:
        return float(self.hparams["lr"]) * schedule_factor(self.hparams["schedule"], self._progress(step))

    # -- validation -----------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn == "fit":
            self._share_fractals()  # callbacks that need all of them are called before the epoch's end here
        zeros = torch.zeros(len(self.fractals), device=self.device)
        self.results = TargetScores(*(zeros.clone() for _ in TargetScores._fields))

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """100 fresh images of each fractal against its target: smallest, mean and largest MSE (Section 4)."""
        assert self.results is not None
        targets, rows = batch
        for whole, part in zip(self.results, self.fractals.score(targets, rows), strict=True):
            whole[rows] = part

    def on_validation_epoch_end(self) -> None:
        assert self.results is not None
        if self.trainer.world_size > 1:
            self.results = TargetScores(*(self._gatherer().rows(each) for each in self.results))
        self.log("val/mse_min", self.results.mse_min.mean(), sync_dist=True, prog_bar=True)
        self.log("val/mse_mean", self.results.mse_mean.mean(), sync_dist=True)
        self.log("val/mse_max", self.results.mse_max.mean(), sync_dist=True)
        self.log("val/psnr", self.results.psnr.mean(), sync_dist=True)
        if self.hparams["features"] != 3:
            self.log("val/iou", self.results.iou.mean(), sync_dist=True)
        self.log("val/exploded", self.results.exploded.sum(), sync_dist=True)

    # -- several ranks, each of which learns the fractals of its own targets --------------------

    def on_train_end(self) -> None:
        self._share_fractals()
        if self.results is not None and not self.hparams["features"]:
            warn_of_detail(self.results.iou, self.hparams["image_size"], self.hparams["num_transforms"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        if self.trainer.world_size == 1:
            return
        gatherer = self._gatherer()
        gathered = gatherer.fractals(self.fractals)
        state = {f"fractals.{name}": value for name, value in gathered.state_dict().items()}
        checkpoint["state_dict"] = {**checkpoint["state_dict"], **state}
        checkpoint["fractals"] = self._fractals_entry(gathered.learned())
        if "optimizer_states" in checkpoint:
            states = [gatherer.optimizer_state(each) for each in checkpoint["optimizer_states"]]
            checkpoint["optimizer_states"] = states

    def _share_fractals(self) -> None:
        """Give every rank the fractals of all."""
        if self.trainer.world_size > 1:
            self.fractals.load_state_dict(self._gatherer().fractals(self.fractals).state_dict())

    def _gatherer(self) -> TargetGatherer:
        return TargetGatherer(len(self.fractals), self.shard, self.trainer.strategy)
