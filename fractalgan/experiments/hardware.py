"""What the networks of an experiment are trained on, and with which precision."""

from typing import Any, Literal, Protocol

import torch

from fractalgan.errors import InputError, require_choice
from fractalgan.nn.bfloat16 import warn_if_emulated

Device = Literal["cpu", "gpu"]
Precision = Literal["32-true", "bf16-mixed"]


class HardwarePlan(Protocol):
    """The options of a plan that choose hardware."""

    @property
    def accelerator(self) -> Device:
        """The accelerator of all processes."""

    @property
    def precision(self) -> Precision:
        """The precision of networks, as the Trainer names it."""

    @property
    def cluster(self) -> str | None:
        """Address of a dask scheduler, whose workers are other machines."""


def require_hardware(plan: HardwarePlan) -> None:
    """Raise InputError for unknown names, and for a GPU that this machine lacks; warn of slow bfloat16."""
    require_choice(Device, **{"plan.accelerator": plan.accelerator})
    require_choice(Precision, **{"plan.precision": plan.precision})
    here = plan.cluster in (None, "local")
    if plan.accelerator == "gpu" and here and not torch.cuda.is_available():
        raise InputError("plan.accelerator must be cpu on a machine without a CUDA GPU, got gpu")
    if here and plan.accelerator == "cpu" and plan.precision == "bf16-mixed":
        warn_if_emulated("--plan.precision")


def trainer_options(plan: HardwarePlan) -> dict[str, Any]:
    """The arguments of the Trainer that trains a network."""
    return {"accelerator": plan.accelerator, "precision": plan.precision}
