"""Pictures in TensorBoard, MLflow and Weights & Biases."""

from pathlib import Path

from pytorch_lightning import Trainer
from pytorch_lightning.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image


def log_picture(trainer: Trainer, name: str, picture: Tensor, *, again: bool = False) -> None:
    """Log a picture at the current step.

    Args:
        trainer: whose loggers are used.
        name: the same for the pictures of all steps.
        picture: [3, H, W] in [0, 1].
        again: whether an interrupted run has logged it already: TensorBoard hides that one, others keep it.
    """
    step, tag = trainer.global_step, f"images/{name}"
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(tag, picture, step)
        elif isinstance(logger, MLFlowLogger) and not again:
            logger.experiment.log_image(str(logger.run_id), to_pil_image(picture), key=tag, step=step)
        elif isinstance(logger, WandbLogger) and not again:
            logger.log_image(tag, [to_pil_image(picture)], step)


def log_animation(trainer: Trainer, name: str, path: Path) -> None:
    """Log a GIF file at the current step, where it can be shown: in MLflow and Weights & Biases."""
    for logger in trainer.loggers:
        if isinstance(logger, MLFlowLogger):
            logger.experiment.log_artifact(str(logger.run_id), str(path), "images")
        elif isinstance(logger, WandbLogger):
            logger.log_video(f"images/{name}", [str(path)], trainer.global_step, format=["gif"])
