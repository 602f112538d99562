"""What the last validation has found, for the summary of the run."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class LastValidation(Callback):
    """Remembers the last validation of `fit`, in the checkpoints, too: ``step``, None before the first,
    and ``metrics`` by name."""

    def __init__(self) -> None:
        self.step: int | None = None
        self.metrics: dict[str, float] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.step = trainer.global_step
            self.metrics = {
                name: value.item()
                for name, value in trainer.callback_metrics.items()
                if name.startswith("val/")
            }

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "metrics": self.metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.step, self.metrics = state_dict["step"], state_dict["metrics"]
