"""What all tasks have in common: what the command line needs of them, and numbers that stay finite."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.strategies import ParallelStrategy
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import LBFGS, Optimizer

from fractalgan.errors import InputError
from fractalgan.randomness import ALL_RANKS, RandomSource, RankShard, generator_for
from fractalgan.tasks.log_interval import should_log


class Task(LightningModule):
    """A LightningModule that the command line can run: fit, resume, evaluate, and name its folder.

    Training stops with FloatingPointError at the step where a gradient or a parameter is not finite any
    more, before such numbers are saved; for the terms of a loss see :meth:`require_finite`.

    Attributes:
        monitor: the metric whose lowest value makes the best checkpoint.
        checkpoint_interval: steps between checkpoints that are kept permanently; None keeps none.
        independent_targets: whether parts learn independently, so that one that diverges stops no other.
        broadcast_buffers: whether DDP copies the buffers of rank 0 to the other ranks.
        trains_on_batches: whether a step trains on the images of a batch, and not on others.
        run_name: the stem of run folders; by default the class name in lower case.
        shard: this rank's rows of what all ranks draw together.
        callbacks: names of callbacks in ``fractalgan.callbacks`` that the command line adds to a fit.
        legacy_names: names in the state of older checkpoints, and what they are called today.
        legacy_options: hyperparameters that older checkpoints lack, and what holds for these.
    """

    monitor: str
    checkpoint_interval: int | None = None
    independent_targets: bool = False
    broadcast_buffers: bool = True
    trains_on_batches: bool = True
    run_name: str = ""
    shard: RankShard = RankShard()
    callbacks: tuple[str, ...] = ()
    legacy_names: ClassVar[Mapping[str, str]] = {}
    legacy_options: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "run_name" not in cls.__dict__:
            cls.run_name = cls.__name__.lower()

    def next_steps(self) -> dict[str, str]:
        """What can be done after a run: labels, and command lines without "python -m fractalgan".

        The fields {best}, {last} and {run} stand for the checkpoints and the folder of the run.
        """
        return {}

    def findings(self, metrics: Mapping[str, float]) -> list[str]:
        """What the metrics of a validation or a test mean, in words, the worst first.

        Args:
            metrics: by name, with the stage, as Lightning returns them: ``val/accuracy``.
        """
        return []

    def sizes_for_next(self, **options: str) -> str:
        """Options that the next command needs where they differ from its defaults, as " --data.size 16".

        Args:
            options: the names of hyperparameters, and of the next command's options for them.
        """
        return options_for_next({option: self.hparams[name] for name, option in options.items()})

    # -- what follows from the trainer ----------------------------------------------------------

    def setup(self, stage: str) -> None:
        self.shard = RankShard(self.trainer.global_rank, self.trainer.world_size)

    def _random(self, *key: int) -> RandomSource:
        """A source of random numbers that ranks share out, from the task's seed and a key."""
        return RandomSource(generator_for(self.hparams["seed"], ALL_RANKS, *key), self.shard)

    def _progress(self, step: int) -> float:
        """The share of the run that is done; 0 where the run has no end."""
        return step / self.trainer.max_steps if self.trainer.max_steps > 0 else 0.0

    def _is_parallel(self) -> bool:
        """Whether gradients are averaged over processes, as by DDP, of which there may be only one."""
        return isinstance(self.trainer.strategy, ParallelStrategy)

    def _require_last_step(self, schedules: str) -> None:
        """Raise InputError for a run without a last step, in which ``schedules`` would not advance."""
        if self.trainer.max_steps < 1:
            raise InputError(f"{schedules} needs to know the last step: set --trainer.max_steps")

    def _step_uncounted(self, optimizer: LightningOptimizer) -> None:
        """A step of an optimizer, by gradients that are there already, which ``global_step`` does not count.

        A task with two optimizers makes one step of each per batch, but ``optimizer.step()`` counts both.
        """
        self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)

    # -- checkpoints ----------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["task"] = type(self).__name__

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {self._current_name(name): value for name, value in state.items()}
        options = checkpoint.get("hyper_parameters", {})
        self.hparams.update({name: old for name, old in self.legacy_options.items() if name not in options})

    def _current_name(self, name: str) -> str:
        """The name of an entry of an older state today: by its whole name, or by the module it belongs to."""
        head, dot, rest = name.partition(".")
        return self.legacy_names.get(head, head) + dot + rest

    # -- numbers that stay finite ---------------------------------------------------------------

    def require_finite(self, what: str, *values: Tensor) -> None:
        """Raise FloatingPointError, with the step, unless all values are finite; ``what`` names them."""
        # a sum is finite only if all its terms are, and takes a sixth of the time; a GPU synchronizes once
        sums = [value.detach().sum() for value in values]
        if (
            sums
            and not torch.stack(sums).isfinite().all()
            and not all(each.isfinite().all() for each in values)
        ):
            raise FloatingPointError(f"{what} is not finite at step {self.global_step + 1}")

    def on_fit_start(self) -> None:
        self._check_strategy()
        for optimizer in self.trainer.optimizers:
            optimizer.register_load_state_dict_post_hook(_check_shapes)
            if not self.independent_targets:
                optimizer.register_step_post_hook(self._check_parameters)

    def _check_strategy(self) -> None:
        """Raise InputError where DDP would overwrite buffers that differ between ranks."""
        model = self.trainer.strategy.model
        if (
            not self.broadcast_buffers
            and isinstance(model, DistributedDataParallel)
            and model.broadcast_buffers
        ):
            raise InputError(
                f"the buffers of {type(self).__name__} differ between ranks and must not be broadcast:"
                " use Trainer(strategy=DDPStrategy(broadcast_buffers=False))"
            )

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None:  # half precision skips steps that overflow, and scales the loss down
            if should_log(self.trainer, self.global_step + 1) and scaler.get_scale() < 1:
                raise FloatingPointError(f"gradients are not finite, the last at step {self.global_step + 1}")
        elif not self.independent_targets:
            parameters = _parameters(optimizer)
            gradients = [each.grad for each in parameters if each.grad is not None]
            self.require_finite(f"a gradient of the {self._name_of(parameters)}", *gradients)

    def _check_parameters(self, optimizer: Optimizer, *args: Any) -> None:
        parameters = _parameters(optimizer)
        self.require_finite(f"a parameter of the {self._name_of(parameters)}", *parameters)

    def _name_of(self, parameters: list[Tensor]) -> str:
        """The module that owns the first of the parameters: "generator"."""
        return next(name for name, each in self.named_parameters() if each is parameters[0]).partition(".")[0]


# Defaults of the next command's options, which need not be set.
NEXT_DEFAULTS = {
    "data.channels": 1,
    "data.size": 32,
    "model.num_fractals": 100,
    "model.num_transforms": 10,
    "model.window": 2.5,
}


def options_for_next(values: Mapping[str, Any]) -> str:
    """Options of the next command, by name, that differ from its defaults: " --data.size 16"."""
    return "".join(
        f" --{option} {value}"
        for option, value in values.items()
        if value not in (None, NEXT_DEFAULTS[option])
    )


def _check_shapes(optimizer: Optimizer) -> None:
    """Raise InputError where a checkpoint's state does not fit: fused optimizers do not check."""
    if isinstance(optimizer, LBFGS):  # whose state is of all parameters together, and which does check
        return
    for parameter, state in optimizer.state.items():
        for value in state.values():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                raise InputError(
                    "the optimizer states in the checkpoint do not fit its parameters: use another checkpoint"
                )


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
