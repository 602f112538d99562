"""One x axis for all logged values: ``global_step``, the number of batches done."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.tasks.log_interval import should_log


class StepCount(Callback):
    """Makes every logger's step equal to ``global_step``.

    Lightning logs the index of the batch, one less. It also has a count of batches of its own that decides
    which steps are logged, and that is one too high after some ways of resuming.
    """

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        # the only private attribute of a framework in the package: there is no public way to set this count
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step  # noqa: SLF001

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if should_log(trainer, trainer.global_step):
            pl_module.log("step", float(trainer.global_step))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            pl_module.log("step", float(trainer.global_step), sync_dist=True)
