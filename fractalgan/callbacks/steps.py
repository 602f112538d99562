"""One x axis for everything that a run logs: ``global_step``."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.cadence import is_logged


class StepCount(Callback):
    """Makes every logger's step the number of batches done.

    By itself Lightning logs the index of the batch, one less, and counts it apart from ``global_step``:
    after some resumes that count is one ahead, and rows come at other steps than in a run that was
    never stopped.
    """

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if is_logged(trainer, trainer.global_step):
            pl_module.log("step", float(trainer.global_step))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            pl_module.log("step", float(trainer.global_step), sync_dist=True)
