"""The checkpoints of a run: the best by a metric, the last, and those kept along the way."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Keeps ``path`` at the state with the lowest ``monitor`` that validation has seen.

    Of a checkpoint it takes the score alone, and that where ``path`` is there to have it. Lightning takes
    paths as well, to remove what lies there, whoever has written them; and where a folder was moved, neither.
    """

    def __init__(self, path: Path, monitor: str) -> None:
        self.path = path
        super().__init__(
            dirpath=path.parent,
            filename=path.stem,
            monitor=monitor,
            save_top_k=1,
            enable_version_counter=False,
        )

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        score = state_dict["best_model_score"]
        if score is not None and self.path.is_file():
            path = os.path.join(str(self.dirpath), self.path.name)
            self.best_model_score = self.kth_value = torch.as_tensor(score)
            self.best_model_path = self.kth_best_model_path = path
            self.best_k_models = {path: self.best_model_score}


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
        path: the file; to be given after :class:`BestCheckpoint`, whose best score it carries along.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            trainer.save_checkpoint(self.path)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.path)
