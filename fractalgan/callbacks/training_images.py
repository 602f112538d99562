"""A picture of what a network is trained on."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan.callbacks.logged_pictures import log_picture
from fractalgan.callbacks.pictures import save_picture
from fractalgan.distributed import rank_zero_only
from fractalgan.nn.grid import COLUMNS, grid
from fractalgan.storage import RunFolder
from fractalgan.tasks.classification import ClassificationTask


class TrainingImages(Callback):
    """Draws the first batch as the network is trained on it, at most 100 images, ordered by class.

    They are in ``figures/training_images.png``, and in the loggers.

    Args:
        run: the run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        self.path = run.figures / "training_images.png"

    @rank_zero_only
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > 0 or self.path.exists():
            return
        assert isinstance(pl_module, ClassificationTask)
        images, labels = batch
        with torch.no_grad():
            images, _ = pl_module.augmented(images, labels)
        order = torch.argsort(labels[: COLUMNS**2], stable=True)
        picture = grid(images[order].float().cpu())
        save_picture(self.path, to_pil_image(picture))
        log_picture(trainer, "training_images", picture)
