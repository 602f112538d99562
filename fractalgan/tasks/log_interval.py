"""Which training steps are logged."""

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Timer


def should_log(trainer: Trainer, step: int) -> bool:
    """Whether the loggers write this step, counted from 1: logging the others would take as long as drawing.

    That is every ``log_every_n_steps``-th step. Lightning also writes the step at which a time limit ends the
    run, with the values that were logged last, so under a limit all steps are logged.
    """
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    limited = any(isinstance(callback, Timer) for callback in trainer.callbacks)  # type: ignore[attr-defined]
    return limited or (every > 0 and step % every == 0)
