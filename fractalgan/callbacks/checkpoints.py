"""The two checkpoints of a run: the best by a metric, and the last."""

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint


def best_checkpoint(path: Path, monitor: str) -> ModelCheckpoint:
    """Keeps ``path`` at the state with the lowest ``monitor`` that validation has seen."""
    return ModelCheckpoint(
        dirpath=path.parent,
        filename=path.stem,
        monitor=monitor,
        save_top_k=1,
        enable_version_counter=False,
    )


class LastCheckpoint(Checkpoint):
    """Keeps ``path`` at the state after the last validation, and at the end of the run.

    The end is where ``max_steps`` is reached and where the run is asked to stop: both come after the
    batch is complete and after the validation that was due, so that a resumed run owes nothing.

    Args:
        path: the file; to be given after :func:`best_checkpoint`, whose best score it carries along.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            trainer.save_checkpoint(self.path)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.path)


class StepCount(Callback):
    """Makes Lightning's count of logged batches follow ``global_step``.

    Lightning keeps the first apart, and after some resumes it is one ahead: rows would be logged at
    other steps than in a run that was never stopped.
    """

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
