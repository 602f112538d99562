"""A reconstruction as an animation."""

import math
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan.callbacks.logged_pictures import log_animation
from fractalgan.callbacks.pictures import save_picture, side_by_side
from fractalgan.distributed import rank_zero_only
from fractalgan.nn.grid import grid
from fractalgan.storage import RunFolder, atomic_path
from fractalgan.tasks import FractalTask
from fractalgan.tasks.protocols import Targets, datamodule_of

MAX_FRAMES = 60
FRAME_MS, LAST_FRAME_MS = 80, 2000


class Film(Callback):
    """Saves pictures of fractals beside their targets at regular steps, and ``fit.gif`` made from them.

    Args:
        run: the run folder; the pictures are written to ``figures/frames/``.
    """

    def __init__(self, run: RunFolder) -> None:
        self.folder = run.figures
        self.every = 1  # steps from one frame to the next

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.every = frame_interval(trainer.max_steps)
        if trainer.global_step == 0:
            save_picture(self._path(trainer), _frame(trainer, pl_module))

    @rank_zero_only
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if trainer.world_size == 1 and trainer.global_step % self.every == 0:
            save_picture(self._path(trainer), _frame(trainer, pl_module))

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and trainer.world_size > 1:  # rank 0 has all fractals only now
            save_picture(self._path(trainer), _frame(trainer, pl_module))

    @rank_zero_only
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        paths = sorted((self.folder / "frames").glob("*.png"))
        frames = [_read(path) for path in paths if int(path.stem) <= trainer.global_step]
        if not self._path(trainer).exists():
            frames.append(_frame(trainer, pl_module))
        durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
        with atomic_path(self.folder / "fit.gif") as path:
            frames[0].save(
                path, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0
            )
        log_animation(trainer, "fit", self.folder / "fit.gif")

    def _path(self, trainer: Trainer) -> Path:
        return self.folder / "frames" / f"{trainer.global_step:06d}.png"


def frame_interval(max_steps: int) -> int:
    """Steps from one frame to the next, for at most MAX_FRAMES with those of the first and the last step."""
    return max(1, math.ceil(max_steps / (MAX_FRAMES - 1)))


def _frame(trainer: Trainer, pl_module: LightningModule) -> Image.Image:
    assert isinstance(pl_module, FractalTask)
    images, data = pl_module.gallery(), datamodule_of(trainer)
    pictures = [images]
    if isinstance(data, Targets) and data.targets is not None:
        pictures.append(data.targets[: len(images)])
    frame = side_by_side([to_pil_image(grid(each)) for each in pictures])
    return frame.convert("L") if images.shape[1] == 1 else frame


def _read(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.copy()
