"""Drawn images as PNG files, one folder per fractal: a data set that ImageData reads as ``folder``."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan.tasks import FractalTask

log = logging.getLogger(__name__)


class ImageWriter(BasePredictionWriter):
    """Writes each prediction ``(fractals [B], images [B, C, H, W])`` as <folder>/<fractal>/<batch>.png.

    Args:
        folder: where the folders of the fractals are created.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, FractalTask)
        images = min(pl_module.images_per_fractal, sum(trainer.num_predict_batches) * trainer.world_size)
        fractals = len(pl_module.learned_fractals().embedding)
        log.info(
            "writing %d files to %s: %d per fractal (set --images for another number)",
            *(images * fractals, self.folder, images),
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
