"""The options of a run as hyper-parameters, by which loggers compare runs."""

from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.callbacks.loggers import EventsLogger
from fractalgan.callbacks.trackers import MLflowTracker, WandbTracker


class LogHyperParameters(Callback):
    """Gives the options of a run to the loggers when training starts.

    Other loggers follow Lightning's ``enable_autolog_hparams``.

    Args:
        values: plain values by the names of the options.
    """

    def __init__(self, values: dict[str, str | float]) -> None:
        self.values = values

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, EventsLogger | MLflowTracker | WandbTracker):
                logger.log_hyperparams(self.values)
