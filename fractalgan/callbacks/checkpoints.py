"""The checkpoints of a run: the best by a metric, the last, and periodic ones."""

from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from fractalgan.storage import RunFolder

LEGACY_STATE = "ModelCheckpoint"  # what the state of BestCheckpoint was saved under by version 0.1.0


class BestCheckpoint(Checkpoint):
    """Keeps best.ckpt at the state with the lowest ``monitor`` in validation.

    Of a checkpoint that is resumed only the score is used, and only if best.ckpt exists beside it:
    Lightning's ModelCheckpoint also trusts the paths in it, and deletes what they name.

    Args:
        run: the run folder.
        monitor: the name of the metric.
    """

    def __init__(self, run: RunFolder, monitor: str) -> None:
        self.path = run.best
        self.monitor = monitor
        self.score: float | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        score = trainer.callback_metrics[self.monitor].item()
        better = self.score is None or score < self.score
        if trainer.strategy.broadcast(better):
            self.score = score
            trainer.save_checkpoint(self.path)

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "monitor": self.monitor}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restore(state_dict["score"], state_dict.get("monitor"))

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        for name, state in checkpoint["callbacks"].items():
            if str(name).startswith(LEGACY_STATE):
                self._restore(state["best_model_score"], state.get("monitor"))

    def _restore(self, score: Any, monitor: str | None) -> None:
        """Continue from a score of the same metric; another one is not comparable."""
        if score is not None and monitor == self.monitor and self.path.is_file():
            self.score = torch.as_tensor(score).item()


class PeriodicCheckpoint(Checkpoint):
    """Keeps the state after every ``every`` steps, as ``step_001000.ckpt`` and so on.

    Args:
        run: the run folder.
        every: steps from one checkpoint to the next.
    """

    def __init__(self, run: RunFolder, every: int) -> None:
        self.run = run
        self.every = every

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step % self.every == 0:
            trainer.save_checkpoint(self.run.periodic(trainer.global_step))


class LastCheckpoint(Checkpoint):
    """Keeps last.ckpt at the state after the last validation, and at the end of the run.

    The run ends at ``max_steps`` or where it is interrupted, in both cases after the batch and the validation
    that is due.

    Args:
        run: the run folder. Pass this callback after :class:`BestCheckpoint`, whose score is saved with it.
    """

    def __init__(self, run: RunFolder) -> None:
        self.path = run.last

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            trainer.save_checkpoint(self.path)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.path)
