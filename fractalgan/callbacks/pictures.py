"""Grids of all fractals and of real images: as PNG files and in TensorBoard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image
from torchvision.utils import make_grid

from fractalgan.ranks import rank_zero_only
from fractalgan.whole_file import whole_file

ROWS = 10  # and columns, of a grid of 100
SMALLEST = 256  # pixels: a grid is at least as wide
GAP = 0.25  # grey level of the lines between images


class Pictures(Callback):
    """Draws the model's ``gallery()`` before the first step and at every validation.

    Always the same fractals in the same places, from the same random numbers, so that one sees them
    change; beside them a grid of real images, as the discriminator sees them.

    Args:
        folder: where the PNG files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._path("real", 0).exists():
            self._show(trainer, "real", grid(_real_images(trainer)))
        if trainer.global_step == 0:
            self._show(trainer, "fractals", _gallery(pl_module))

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._show(trainer, "fractals", _gallery(pl_module))

    @rank_zero_only
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        before, real = self._path("fractals", 0), self._path("real", 0)
        if not (before.exists() and real.exists()):
            return  # resumed in another folder
        drawn = self._path("fractals", trainer.global_step)
        after = _read(drawn) if drawn.exists() else to_pil_image(_gallery(pl_module))
        row = side_by_side([_read(before), after, _read(real)])
        save_picture(self.folder / "before_after_real.png", row)

    def _show(self, trainer: Trainer, name: str, picture: Tensor) -> None:
        save_picture(self._path(name, trainer.global_step), to_pil_image(picture))
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(f"images/{name}", picture, trainer.global_step)

    def _path(self, name: str, step: int) -> Path:
        return self.folder / (f"{name}.png" if name == "real" else f"{name}_{step:06d}.png")


def _real_images(trainer: Trainer) -> Tensor:
    """What is learned from: the targets in their order, or the first validation images."""
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    if hasattr(data, "targets"):
        targets: Tensor = data.targets[: ROWS * ROWS]
        return targets
    batches = iter(data.val_dataloader())
    real: list[Tensor] = []
    while sum(map(len, real)) < ROWS * ROWS and (batch := next(batches, None)):
        real.append(batch[0])
    return torch.cat(real)[: ROWS * ROWS]


def _gallery(pl_module: LightningModule) -> Tensor:
    """A grid of one image of every fractal of the model."""
    draw: Callable[[], Tensor] = pl_module.gallery  # type: ignore[assignment]
    return grid(draw())


def grid(images: Tensor) -> Tensor:
    """Images [B, 1, H, W] in [0, 1] -> one picture [3, H', W'], ten a row, each pixel 2 x 2 or larger."""
    zoom = max(2, SMALLEST // (min(len(images), ROWS) * images.shape[-1]))
    large = images.detach().cpu().float().repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
    picture: Tensor = make_grid(large, nrow=ROWS, padding=2, pad_value=GAP)
    return picture.clamp(0, 1)


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """PIL pictures in one row, with a white gap between."""
    gap = 16
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + gap
    return row


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a PNG file, and its folder if there is none; whole or not at all."""
    with whole_file(path) as beside:
        picture.save(beside, format="PNG")


def _read(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB")
