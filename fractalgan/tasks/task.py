"""What all tasks have in common: what is best, what is kept, their name, and numbers that stay finite."""

from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.optim import LBFGS, Optimizer

from fractalgan.cadence import is_logged
from fractalgan.errors import InputError


class Task(LightningModule):
    """A LightningModule whose runs the command line can keep: fit, resume, judge and name.

    Training stops with FloatingPointError at the step where a gradient or a parameter is not finite any
    more, before such numbers are saved; for the terms of a loss see :meth:`require_finite`.
    """

    monitor: str  # the metric whose lowest value makes the best checkpoint
    keep_every: int | None = None  # steps from one checkpoint that is kept for good to the next
    in_parts: bool = False  # its parts learn apart: one that is not finite any more stops no other

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["task"] = type(self).__name__

    # -- numbers that stay finite ---------------------------------------------------------------

    def require_finite(self, what: str, *values: Tensor) -> None:
        """Raise FloatingPointError, with the step, where ``what`` these values are is not finite."""
        # a sum is finite only where all it adds are, and six times as fast; a GPU is waited for once
        sums = [value.detach().sum() for value in values]
        if (
            sums
            and not torch.stack(sums).isfinite().all()
            and not all(each.isfinite().all() for each in values)
        ):
            raise FloatingPointError(f"{what} is not finite at step {self.global_step + 1}")

    def on_fit_start(self) -> None:
        for optimizer in self.trainer.optimizers:
            optimizer.register_load_state_dict_post_hook(_check_shapes)
            if not self.in_parts:
                optimizer.register_step_post_hook(self._check_parameters)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None:  # of half precision: it leaves out the steps that overflow, and scales down
            if is_logged(self.trainer, self.global_step + 1) and scaler.get_scale() < 1:
                raise FloatingPointError(f"gradients are not finite, the last at step {self.global_step + 1}")
        elif not self.in_parts:
            parameters = _parameters(optimizer)
            gradients = [each.grad for each in parameters if each.grad is not None]
            self.require_finite(f"a gradient of the {self._name_of(parameters)}", *gradients)

    def _check_parameters(self, optimizer: Optimizer, *args: Any) -> None:
        parameters = _parameters(optimizer)
        self.require_finite(f"a parameter of the {self._name_of(parameters)}", *parameters)

    def _name_of(self, parameters: list[Tensor]) -> str:
        """The module that the first of the parameters lies in: "generator"."""
        return next(name for name, each in self.named_parameters() if each is parameters[0]).partition(".")[0]


def _check_shapes(optimizer: Optimizer) -> None:
    """Raise InputError where a checkpoint's state does not fit: fused optimisers would not look."""
    if isinstance(optimizer, LBFGS):  # whose state is of all parameters together, and which does look
        return
    for parameter, state in optimizer.state.items():
        for value in state.values():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                raise InputError("the checkpoint's optimisers do not fit its parameters: take another")


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
