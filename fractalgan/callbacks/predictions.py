"""Writes drawn images to disk, one sub-folder a fractal: a data set that ``folder`` reads."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

log = logging.getLogger("fractalgan.callbacks")


class ImageWriter(BasePredictionWriter):
    """Writes each prediction ``(fractals [B], images [B, 1, H, W])`` as <folder>/<fractal>/<batch>.png.

    Args:
        folder: where the sub-folders go.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        log.info(
            "writing %d images of every fractal; --trainer.limit_predict_batches says how many",
            sum(trainer.num_predict_batches) * trainer.world_size,
        )

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: tuple[Tensor, Tensor],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        number = batch_idx * trainer.world_size + trainer.global_rank
        for fractal, image in zip(prediction[0].tolist(), prediction[1].cpu(), strict=True):
            path = self.folder / f"{fractal:03d}" / f"{number:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            to_pil_image(image).save(path)
