"""A Trainer for one of many trainings in an experiment."""

from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint


def quiet_trainer(max_steps: int, **given: Any) -> Trainer:
    """A Trainer on one CPU process that prints nothing, and writes only the checkpoints of given callbacks.

    Args:
        max_steps: training steps.
        given: further arguments of the Trainer, which override its options here.
    """
    options: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "check_val_every_n_epoch": None,
        "log_every_n_steps": 0,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        # otherwise Lightning would add a callback of its own
        "enable_checkpointing": any(isinstance(each, Checkpoint) for each in given.get("callbacks", ())),
    }
    return Trainer(max_steps=max_steps, **options | given)
