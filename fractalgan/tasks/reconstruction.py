"""Reconstruction: rebuild images, each as one fractal, by pixel MSE (Tu et al., Section 4, Table 1)."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.optim import Adam

from fractalgan.cadence import is_logged
from fractalgan.checkpoint_file import blame_checkpoint, read_checkpoint
from fractalgan.errors import InputError, blame_input, require_above, require_at_least, require_choice
from fractalgan.limits import require_maps, require_sizes
from fractalgan.nn import PROBABILITIES, FractalEmbedding, FractalGenerator, MatricesForm, ProbabilityRule
from fractalgan.ops import (
    Procedure,
    Transforms,
    check_view,
    iterate_points,
    look_up_sequences,
    random_systems,
    render,
    start_points,
)
from fractalgan.randomness import generator_for, rows_for
from fractalgan.tasks.inverse_encoder import InverseEncoder
from fractalgan.tasks.task import Task

Objective = Literal["expectation", "fixed"]
Schedule = Literal["constant", "halving", "cosine"]
NoisyPart = Literal["all", "matrices"]

# What random numbers are for: the last word of their key.
START, TRAIN, FIXED, NOISE, EVALUATION, PICTURES = range(620, 626)

EVALUATED = 100  # sequences of each fractal, in validation (Section 4)
EXPLODED = 1e4  # units of the plane: a point that far out does not come back
WATCHED = 5  # sequences of each fractal that are looked at for such points
FORGET = 0.9  # a step, of the running loss that candidates are chosen by


class Reconstruction(Task):
    """One fractal for each target image, learned by the MSE of what it draws, all of them side by side.

    A step is a step of every target: ``num_sequences`` images are drawn of each. Its numbers follow from
    (seed, target, step), and its gradient is clipped by itself, so a target's fractal does not depend on
    which others are rebuilt beside it, nor in how many processes, which share the targets.

    Batches are ``(targets [n, 1, H, W], rows [n])``, as TargetData gives them. Fractals whose points run
    away are counted as exploded.

    Args:
        num_targets: of how many images; null: follows the data.
        num_transforms: N, the affine maps of a fractal.
        num_points: T, the points of an image.
        num_sequences: images of each target a step; candidates share them.
        image_size: height and width in pixels; follows the data.
        window: half the side of the square of the plane that is drawn.
        tau: width of a point, in pixels squared.
        start: how the first fractals are drawn at random: ``anderson-farrell``, ``fractaldb``, or ``even``
            for maps alike in size; or a checkpoint of InverseEncoder, whose guess is the first candidate.
        objective: fresh index sequences at every step, or always those that the first fractal gave (Eq. 9).
        matrices: how A is learned: ``sigmoid`` and ``clamp`` keep sigma in range, ``unbounded`` leaves it
            free, ``raw`` learns the entries.
        sigma_min: the least singular value.
        sigma_max: the largest singular value.
        probabilities: of the maps: ``determinant``, or ``uniform``.
        candidates: fractals that a target begins with, each from a random start of its own.
        halvings: after these steps the better half of the candidates goes on.
        noise: standard deviation of what noisy SGD adds to the parameters; 0 is none.
        noise_interval: steps from one such noise to the next.
        noise_share: of the run, until it ends.
        noise_on: all parameters, or those of the matrices alone.
        lr: Adam's learning rate, at the start.
        schedule: of the learning rate: ``halving`` after each quarter of the run, ``cosine`` down to 0.
        clip: largest norm of a fractal's gradient, of the matrices and of b each; null: any.
        chunk: targets that are drawn at a time: speed and memory depend on it, results do not; a GPU wants
            more.
        seed: of all random numbers; follows --seed_everything.
    """

    monitor = "val/mse_min"  # the lowest is the best checkpoint
    in_parts = True

    def __init__(
        self,
        num_targets: int | None = None,
        num_transforms: int = 10,
        num_points: int = 300,
        num_sequences: int = 50,
        image_size: int = 32,
        window: float = 2.5,
        tau: float = 1.0,
        start: str = "anderson-farrell",
        objective: Objective = "expectation",
        matrices: MatricesForm = "sigmoid",
        sigma_min: float = 0.05,
        sigma_max: float = 0.9,
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
        require_sizes(
            num_targets=1 if num_targets is None else num_targets,
            num_transforms=num_transforms,
            num_points=num_points,
            num_sequences=num_sequences,
        )
        require_at_least(1, candidates=candidates, noise_interval=noise_interval, chunk=chunk)
        require_maps((num_targets or 1) * candidates, num_transforms)
        require_at_least(0, noise=noise, noise_share=noise_share)
        require_above(0, lr=lr, clip=1.0 if clip is None else clip)
        if not 0 <= sigma_min < sigma_max:
            raise InputError(f"want 0 <= sigma_min < sigma_max, got {sigma_min} and {sigma_max}")
        self.procedure: Procedure = "anderson-farrell"  # of those that no encoder guesses
        if start in get_args(Procedure):
            self.procedure = start  # type: ignore[assignment]
        elif Path(start).suffix != ".ckpt":
            procedures = ", ".join(get_args(Procedure))
            raise InputError(f"start: want {procedures} or a .ckpt of InverseEncoder, got {start!r}")
        require_choice(Objective, objective=objective)
        require_choice(MatricesForm, matrices=matrices)
        require_choice(ProbabilityRule, probabilities=probabilities)
        require_choice(NoisyPart, noise_on=noise_on)
        require_choice(Schedule, schedule=schedule)
        if any(later <= earlier for earlier, later in pairwise([0, *halvings])):
            raise InputError(f"halvings: want steps from 1 on, each above the one before it, got {halvings}")
        if objective == "fixed" and candidates > 1:
            raise InputError("objective fixed: its sequences are those of one start, want candidates 1")
        if candidates > num_sequences:
            raise InputError(f"candidates: {num_sequences} sequences are too few for {candidates}")
        with blame_input():
            check_view((image_size, image_size), window, tau)
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.results: Results | None = None  # of the last validation, of all targets
        if num_targets is not None:
            self._begin(torch.arange(num_targets))

    def _begin(self, indices: Tensor, guessed: Transforms | None = None) -> None:
        """Make the first fractals of the targets with these ``indices`` [n]: the candidates in turn.

        Those that an encoder has ``guessed`` [n] come first.
        """
        options = self.hparams
        with blame_input(f"start {options['start']}"):
            drawn = self._drawn(indices)
        A, b = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        if guessed is not None:
            A[:: options["candidates"]], b[:: options["candidates"]] = guessed
        self.generator = FractalGenerator(
            FractalEmbedding(
                Transforms(A, b), options["matrices"], (options["sigma_min"], options["sigma_max"])
            ),
            options["image_size"],
            options["num_points"],
            options["window"],
            options["tau"],
            probabilities=options["probabilities"],
        )
        with torch.no_grad():
            first = self._probabilities(self.generator.embedding())
        # Parameters that are not learned, and no buffers: DDP would give every process those of the first.
        order = torch.arange(len(b)).view(len(indices), options["candidates"])
        self.order = nn.Parameter(order, requires_grad=False)  # [n, candidates], those that go on first
        self.recent = nn.Parameter(torch.zeros(len(b)), requires_grad=False)  # running losses, inf: is out
        self.first = nn.Parameter(first, requires_grad=False)  # probabilities at the start
        self.indices = nn.Parameter(indices, requires_grad=False)  # what random numbers follow from

    def _drawn(self, indices: Tensor) -> list[Transforms]:
        """Random systems for each of the targets."""
        number, transforms = self.hparams["candidates"], self.hparams["num_transforms"]
        keys = [(self.hparams["seed"], index, START) for index in indices.tolist()]
        return [random_systems(self.procedure, number, transforms, generator_for(*key)) for key in keys]

    def setup(self, stage: str) -> None:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not hasattr(data, "targets"):
            raise InputError("Reconstruction rebuilds targets: give --data fractalgan.TargetData")
        number, known = len(data.targets), self.hparams["num_targets"]
        if known not in (None, number):
            raise InputError(f"{data.source} has {number} targets, not {known}")
        if number < self.trainer.world_size:
            raise InputError(f"{number} targets are too few for {self.trainer.world_size} processes")
        if self.trainer.precision == "16-mixed":
            raise InputError("fractals of targets are learned in 32 bits: give --trainer.precision 32-true")
        if stage == "fit" and self.trainer.max_steps < 1:
            raise InputError("schedules need to know the last step: give --trainer.max_steps")
        if known is None:
            self.hparams["num_targets"] = number
            encoded = self.hparams["start"] not in get_args(Procedure)
            self._begin(data.indices, self._guessed(data.targets) if encoded else None)

    def _guessed(self, targets: Tensor) -> Transforms:
        path = Path(self.hparams["start"])
        checkpoint = read_checkpoint(path)
        if checkpoint["task"] != "InverseEncoder":
            raise InputError(f"{path} is a checkpoint of {checkpoint['task']}, which guesses no fractals")
        with blame_checkpoint(path):
            for name in ("num_transforms", "image_size", "window"):
                learned, wanted = checkpoint["hyper_parameters"][name], self.hparams[name]
                if learned != wanted:
                    raise InputError(f"{path} was trained with {name} {learned}, not {wanted}")
            return InverseEncoder.load_from_checkpoint(path, weights_only=True).guess(targets)

    def configure_optimizers(self) -> Adam:
        # not fused: that form rounds a target's numbers by their place among the others
        return Adam(self._learned(), lr=self.hparams["lr"])

    def winners(self) -> Tensor:
        """The fractal [n] of each target: of several candidates that are left, the best of late."""
        best = self.recent[self.order].argmin(1, keepdim=True)
        return self.order.gather(1, best).squeeze(1)

    def _won(self) -> Transforms:
        """The maps of the winners [n]."""
        winners = self.winners()
        return Transforms(*(each[winners] for each in self.generator.embedding()))

    @torch.no_grad()
    def fitted(self) -> FractalGenerator:
        """The fractals [n] of all targets, as they are now."""
        transforms = Transforms(*(each.cpu() for each in self._won()))
        names = ("image_size", "num_points", "window", "tau", "probabilities")
        options = {name: self.hparams[name] for name in names}
        return FractalGenerator(FractalEmbedding(transforms, "raw"), **options)

    # -- training -------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        targets, rows = batch
        step = self.global_step
        left = self._left(step)
        transforms = self.generator.embedding()
        # chunks add up their gradients at the maps; from there to the parameters it is one pass for all
        maps = Transforms(*(each.detach().requires_grad_() for each in transforms))
        losses = torch.cat(
            [
                self._descend(maps, targets[part], rows[part], left, step)
                for part in torch.split(torch.arange(len(rows)), self.hparams["chunk"])
            ]
        )
        parameters = self._learned()
        # not `backward`: processes do not share a target, so no gradient is to be averaged between them
        gradients = torch.autograd.grad([*transforms], parameters, [maps.A.grad, maps.b.grad])
        self._step(parameters, gradients, step)
        self._perturb(parameters, rows, step)
        self._choose(losses, rows, left, step)
        if is_logged(self.trainer, step + 1):
            self.log("train/mse", self._mean_of_all(losses.amin(1)), prog_bar=True)
            self.log("targets", float(len(self.order)), prog_bar=True, logger=False)

    def _mean_of_all(self, losses: Tensor) -> Tensor:
        """The mean over all processes' targets with a finite loss. Raises FloatingPointError for none."""
        finite = losses[losses.isfinite()]
        known = torch.stack([finite.sum(), finite.new_tensor(len(finite))])
        total, count = self.trainer.strategy.reduce(known, reduce_op="sum")
        if not count:
            raise FloatingPointError(f"the loss of every target is not finite at step {self.global_step}")
        mean: Tensor = total / count
        return mean

    def _learned(self) -> list[nn.Parameter]:
        """Those of the matrices, then b."""
        embedding = self.generator.embedding
        return [*embedding.matrices.parameters(), embedding.b]

    def _descend(self, maps: Transforms, targets: Tensor, rows: Tensor, left: int, step: int) -> Tensor:
        """Add the gradient of a chunk's losses to that of the ``maps``; the losses [n, candidates left].

        A fractal that is not finite draws nothing; its loss is infinite, so that no other loses to it.
        """
        fractals = self.order[rows, :left].flatten()
        chosen = Transforms(*(each.index_select(0, fractals) for each in maps))
        count = self.hparams["num_sequences"] // left
        fixed = self.hparams["objective"] == "fixed"
        probabilities = self.first[fractals] if fixed else self._probabilities(chosen)
        key = (FIXED,) if fixed else (step, TRAIN)
        images = self._draw(chosen, probabilities, rows, count * left, *key)
        images = images.view(len(rows), left, count, *self.generator.size)
        losses = (images - targets.unsqueeze(1)).square().mean((2, 3, 4))
        losses.sum().backward()  # type: ignore[no-untyped-call]
        diverged = ~torch.cat([chosen.A.flatten(1), chosen.b.flatten(1)], 1).isfinite().all(1)
        return losses.detach().masked_fill(diverged.view(losses.shape), math.inf)

    def _draw(
        self, transforms: Transforms, probabilities: Tensor, rows: Tensor, count: int, *key: int
    ) -> Tensor:
        """``count`` images of each target, shared by its fractals: ``transforms`` holds them in turn."""
        keys = [(self.hparams["seed"], index, *key) for index in self.indices[rows].tolist()]
        uniform = rows_for(torch.rand, keys, count, self.hparams["num_points"]).flatten(0, 1)
        number = len(transforms.b)
        fractals = torch.arange(number, device=rows.device).repeat_interleave(len(uniform) // number)
        sequences = look_up_sequences(probabilities, fractals, uniform.to(rows.device))
        view: dict[str, Any] = {name: getattr(self.generator, name) for name in ("size", "window", "tau")}
        return render(transforms, fractals, sequences, **view)

    @torch.no_grad()
    def _step(self, parameters: list[nn.Parameter], gradients: tuple[Tensor, ...], step: int) -> None:
        *matrices, b = gradients
        limit = math.inf if self.hparams["clip"] is None else self.hparams["clip"]
        clipped = [*_clip_each(matrices, limit), *_clip_each([b], limit)]
        for parameter, gradient in zip(parameters, clipped, strict=True):
            parameter.grad = gradient
        optimizer = self.optimizers()
        for group in optimizer.param_groups:  # type: ignore[union-attr]
            group["lr"] = self._lr(step)
        optimizer.step()  # type: ignore[union-attr]
        self.generator.embedding.constrain_()

    @torch.no_grad()
    def _perturb(self, parameters: list[nn.Parameter], rows: Tensor, step: int) -> None:
        """The paper's noisy SGD: every target's from its own key."""
        options = self.hparams
        in_time = self._progress(step) < options["noise_share"] and step % options["noise_interval"] == 0
        if options["noise"] == 0 or not in_time:
            return
        noisy = parameters if options["noise_on"] == "all" else parameters[:-1]
        sizes = [parameter[0].numel() for parameter in noisy]
        keys = [(options["seed"], index, step, NOISE) for index in self.indices[rows].tolist()]
        noise = rows_for(torch.randn, keys, options["candidates"], sum(sizes)).flatten(0, 1).to(rows.device)
        fractals = _all_candidates(rows, options["candidates"])
        for parameter, part in zip(noisy, torch.split(noise, sizes, 1), strict=True):
            parameter[fractals] += options["noise"] * part.reshape(-1, *parameter.shape[1:])
        self.generator.embedding.constrain_()

    @torch.no_grad()
    def _choose(self, losses: Tensor, rows: Tensor, left: int, step: int) -> None:
        """Keep the running losses of the candidates, and at a halving bring the better ones to the front."""
        fractals = self.order[rows, :left]
        self.recent[fractals] = losses if step == 0 else self.recent[fractals].lerp(losses, 1 - FORGET)
        if self._left(step + 1) < left:
            better = torch.argsort(self.recent[fractals], dim=1, stable=True)
            self.order[rows, :left] = fractals.gather(1, better)
            self.recent[self.order[rows, self._left(step + 1) :]] = math.inf

    def _probabilities(self, transforms: Transforms) -> Tensor:
        return PROBABILITIES[self.generator.probabilities](transforms.A)

    def _left(self, step: int) -> int:
        """How many candidates are drawn in this step."""
        halvings = sum(each <= step for each in self.hparams["halvings"])
        left: int = max(1, self.hparams["candidates"] // 2**halvings)
        return left

    def _progress(self, step: int) -> float:
        return step / self.trainer.max_steps

    def _lr(self, step: int) -> float:
        done = self._progress(step)
        factors = {
            "constant": 1.0,
            "halving": 0.5 ** int(4 * done),
            "cosine": (1 + math.cos(math.pi * done)) / 2,
        }
        return float(self.hparams["lr"]) * factors[self.hparams["schedule"]]

    # -- several processes ----------------------------------------------------------------------

    def on_train_batch_end(self, *args: Any) -> None:
        if self.global_step >= self.trainer.fit_loop.epoch_loop.max_steps:  # the last before all is shown
            self._merge()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        self._merge()  # in place: the checkpoint holds these tensors

    @torch.no_grad()
    def _merge(self) -> None:
        """Give every process the fractals of all, each from the one that learned it."""
        if self.trainer.world_size == 1:
            return
        state = self.optimizers(use_pl_optimizer=False).state  # type: ignore[union-attr]
        moments = [each[name] for each in state.values() for name in ("exp_avg", "exp_avg_sq")]
        for tensor in [*self.generator.embedding.parameters(), self.recent, *moments]:
            tensor.copy_(self._gathered(tensor.unflatten(0, (len(self.order), -1))).flatten(0, 1))
        self.order.copy_(self._gathered(self.order))

    def _gathered(self, mine: Tensor) -> Tensor:
        """A tensor [n, ...] with each target's row from the process that has it."""
        rank, processes = self.trainer.global_rank, self.trainer.world_size
        own = torch.zeros_like(mine)
        own[rank::processes] = mine[rank::processes]
        gathered: Tensor = self.trainer.strategy.reduce(own, reduce_op="sum")  # the others' are 0
        return gathered

    # -- validation -----------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        zeros = torch.zeros(len(self.order), device=self.device)
        self.results = Results(*(zeros.clone() for _ in Results._fields))

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """100 fresh images of each fractal against its target: least, mean and largest MSE (Section 4)."""
        assert self.results is not None
        targets, rows = batch
        won = self._won()
        for part in torch.split(torch.arange(len(rows)), self.hparams["chunk"]):
            chosen = Transforms(*(each[rows[part]] for each in won))
            images = self._draw(chosen, self._probabilities(chosen), rows[part], EVALUATED, EVALUATION)
            images = images.view(len(part), EVALUATED, *self.generator.size)
            mse = (images - targets[part]).square().mean((2, 3))
            found = Results(mse.amin(1), mse.mean(1), mse.amax(1), self._exploded(chosen).float())
            for whole, each in zip(self.results, found, strict=True):
                whole[rows[part]] = each

    def _exploded(self, transforms: Transforms) -> Tensor:
        """Whether points of each system [J] run away."""
        number, device = len(transforms.b), self.device
        fractals = torch.arange(number, device=device).repeat_interleave(WATCHED)
        uniform = torch.rand(WATCHED, self.generator.num_points, generator=generator_for(EVALUATION))
        uniform = uniform.repeat(number, 1).to(device)
        sequences = look_up_sequences(self._probabilities(transforms), fractals, uniform)
        points = iterate_points(transforms, fractals, sequences, start_points(transforms, fractals))
        stays = (points.abs() < EXPLODED).flatten(1).all(1)  # NaN does not
        return ~stays.view(number, WATCHED).all(1)

    def on_validation_epoch_end(self) -> None:
        assert self.results is not None
        if self.trainer.world_size > 1:
            self.results = Results(*(self._gathered(each) for each in self.results))
            if self.trainer.state.fn == "fit":
                self._merge()
        self.log("val/mse_min", self.results.mse_min.mean(), sync_dist=True, prog_bar=True)
        self.log("val/mse_mean", self.results.mse_mean.mean(), sync_dist=True)
        self.log("val/mse_max", self.results.mse_max.mean(), sync_dist=True)
        self.log("val/exploded", self.results.exploded.sum(), sync_dist=True)

    @torch.no_grad()
    def gallery(self) -> Tensor:
        """One image [n, 1, H, W] of every target's fractal, from numbers that stay; 100 at most."""
        rows = torch.arange(min(len(self.order), 100), device=self.device)
        chosen = Transforms(*(each[rows] for each in self._won()))
        return self._draw(chosen, self._probabilities(chosen), rows, 1, PICTURES).unsqueeze(1)


class Results(NamedTuple):
    """How well the targets are rebuilt: of 100 images of each the least, mean and largest MSE [n]."""

    mse_min: Tensor
    mse_mean: Tensor
    mse_max: Tensor
    exploded: Tensor  # 1 where the points run away, else 0


def _clip_each(gradients: list[Tensor], limit: float) -> list[Tensor]:
    """Scale the gradients [J, ...] of each fractal so that their common norm is ``limit`` at most."""
    norms = sum(gradient.flatten(1).square().sum(1) for gradient in gradients)
    assert isinstance(norms, Tensor)
    scale = (limit / norms.sqrt().clamp_min(1e-12)).clamp_max(1)
    return [gradient * scale.view(-1, *[1] * (gradient.ndim - 1)) for gradient in gradients]


def _all_candidates(rows: Tensor, candidates: int) -> Tensor:
    """The fractals [n * candidates] of the targets in these rows."""
    return (rows.unsqueeze(1) * candidates + torch.arange(candidates, device=rows.device)).flatten()
