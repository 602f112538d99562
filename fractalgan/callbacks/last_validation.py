"""Validation at the last step, and its results for the summary of the run."""

import logging
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.distributed import is_rank_zero
from fractalgan.tasks import Task

log = logging.getLogger(__name__)


class FinalValidation(Callback):
    """Validates after the last step, even if ``max_steps`` is not a multiple of ``val_check_interval``."""

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step + 1 == trainer.max_steps:
            trainer.val_check_batch = trainer.max_steps


class LastValidation(Callback):
    """Keeps the results of the last validation of `fit`, also across resuming, and logs the worst finding.

    Attributes:
        step: the step of that validation; None before the first.
        metrics: its metrics by name.
        findings: what they mean, in words.
    """

    def __init__(self) -> None:
        self.step: int | None = None
        self.metrics: dict[str, float] = {}
        self.findings: list[str] = []

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.step = trainer.global_step
            self.metrics = {
                name: value.item()
                for name, value in trainer.callback_metrics.items()
                if name.startswith("val/")
            }
            self.findings = pl_module.findings(self.metrics) if isinstance(pl_module, Task) else []
            if self.findings and is_rank_zero():
                log.info("step %d: %s", self.step, self.findings[0])

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "metrics": self.metrics, "findings": self.findings}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.step, self.metrics = state_dict["step"], state_dict["metrics"]
        self.findings = state_dict.get("findings", [])
