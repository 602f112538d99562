"""Which training steps are logged."""

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Timer


def is_logged(trainer: Trainer, step: int) -> bool:
    """Whether the loggers write this step, counted from 1; to log the others takes as long as to draw.

    That is every ``log_every_n_steps``-th. Lightning writes the one that a time limit ends, too, with
    whatever was logged last, so under a limit all are logged.
    """
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    limited = any(isinstance(callback, Timer) for callback in trainer.callbacks)  # type: ignore[attr-defined]
    return limited or (every > 0 and step % every == 0)
