"""Grids of all fractals and of real images: as PNG files and in the loggers."""

from pathlib import Path

from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan.callbacks.logged_pictures import log_picture
from fractalgan.distributed import rank_zero_only
from fractalgan.nn.grid import COLUMNS, grid
from fractalgan.storage import RunFolder, atomic_path
from fractalgan.tasks.protocols import Gallery, Sampled, datamodule_of


class Pictures(Callback):
    """Draws the task's ``gallery()`` before the first step and at every validation.

    The fractals always have the same places and are drawn from the same random numbers, so that changes are
    visible. A grid of real images, as they are learned from, is drawn once.

    Args:
        run: the run folder; the PNG files are written to its ``figures/``.
    """

    def __init__(self, run: RunFolder) -> None:
        self.folder = run.figures

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = datamodule_of(trainer)
        if isinstance(data, Sampled) and not self._path("real", 0).exists():
            self._save(trainer, "real", grid(data.sample(COLUMNS**2)))
        if trainer.global_step == 0:
            self._save(trainer, "fractals", _gallery(pl_module))

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._save(trainer, "fractals", _gallery(pl_module))

    @rank_zero_only
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        before, real = self._path("fractals", 0), self._path("real", 0)
        if not (before.exists() and real.exists()):
            return  # resumed in another folder
        drawn = self._path("fractals", trainer.global_step)
        after = _read(drawn) if drawn.exists() else to_pil_image(_gallery(pl_module))
        row = side_by_side([_read(before), after, _read(real)])
        save_picture(self.folder / "before_after_real.png", row)

    def _save(self, trainer: Trainer, name: str, picture: Tensor) -> None:
        path = self._path(name, trainer.global_step)
        again = path.exists()  # by a run that was killed before it saved a checkpoint
        save_picture(path, to_pil_image(picture))
        log_picture(trainer, name, picture, again=again)

    def _path(self, name: str, step: int) -> Path:
        return self.folder / (f"{name}.png" if name == "real" else f"{name}_{step:06d}.png")


def _gallery(pl_module: LightningModule) -> Tensor:
    assert isinstance(pl_module, Gallery)
    return grid(pl_module.gallery())


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """Arrange pictures in one row, with a white gap between them."""
    gap = 16
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + gap
    return row


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a PNG file atomically; missing parent folders are created."""
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")


def _read(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB")
