"""The checkpoints of a run: the best by a metric, the last, and those kept along the way."""

from pathlib import Path
from typing import Any

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


def kept_path(folder: Path, step: int) -> Path:
    """Where :class:`KeptCheckpoints` leaves the state after a step: ``step_001000.ckpt``."""
    return folder / f"step_{step:06d}.ckpt"


class KeptCheckpoints(Checkpoint):
    """Keeps the state after every so many steps, each at its :func:`kept_path`.

    Lightning's own names a file after the step that was logged last.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.folder = folder
        self.every = every

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step % self.every == 0:
            trainer.save_checkpoint(kept_path(self.folder, trainer.global_step))


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
