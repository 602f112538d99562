"""The checkpoints of a run: the best by a metric, the last, and those kept along the way."""

from pathlib import Path

from pytorch_lightning import LightningModule, Trainer
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


def kept_checkpoints(folder: Path, every: int) -> ModelCheckpoint:
    """Keeps the state after every so many steps, each at its :func:`kept_path`."""
    return ModelCheckpoint(
        dirpath=folder,
        filename="step_{step:06d}",
        auto_insert_metric_name=False,
        every_n_train_steps=every,
        save_top_k=-1,
        enable_version_counter=False,
    )


def kept_path(folder: Path, step: int) -> Path:
    """Where :func:`kept_checkpoints` leaves the state after a step: ``step_001000.ckpt``."""
    return folder / f"step_{step:06d}.ckpt"


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
