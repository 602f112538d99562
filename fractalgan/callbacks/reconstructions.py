"""What a reconstruction leaves beside its checkpoints: the fractals as files, and the fit as a film."""

import json
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan import __version__
from fractalgan.callbacks.pictures import grid, save_picture, side_by_side
from fractalgan.ranks import rank_zero_only
from fractalgan.run_folder import RunFolder
from fractalgan.whole_file import whole_file, write_whole

FRAMES = 60  # of the film, at even steps
FRAME_MS, LAST_FRAME_MS = 80, 2000


class FittedFractals(Callback):
    """Writes the maps of each target's fractal after every validation, for Reconstruction.

    ``fractals.safetensors`` is for whatever draws from learned fractals, ``fractals.json`` for people, with
    a line a target that says how well it is rebuilt, too.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        fitted, results = pl_module.fitted(), pl_module.results._asdict()  # type: ignore[operator, union-attr]
        known = {"step": trainer.global_step, "seed": pl_module.hparams["seed"], "data": data.source}
        scores = {name: each.mean().item() for name, each in results.items()}
        known |= {"scores": scores, "version": __version__}
        fitted.save(self.folder.fractals, known)
        transforms = fitted.embedding()
        view: dict[str, Any] = {"image_size": fitted.size[0]}
        view |= {name: getattr(fitted, name) for name in ("window", "tau", "num_points", "probabilities")}
        targets = [
            {"name": name}
            | {key: _plain(each[k]) for key, each in results.items()}
            | {"A": _plain(transforms.A[k]), "b": _plain(transforms.b[k])}
            for k, name in enumerate(data.names)
        ]
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in (known | view).items()]
        lines.append('"targets": [\n' + ",\n".join(map(json.dumps, targets)) + "\n]")
        write_whole(self.folder.fractals.with_suffix(".json"), "{\n" + ",\n".join(lines) + "\n}\n")


class Film(Callback):
    """Keeps a picture of fractals beside their targets at even steps, and makes ``fit.gif`` of them and
    of the last.

    Args:
        folder: where it goes; the pictures go into its sub-folder ``frames``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.every = 1  # steps from one frame to the next

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.every = max(1, trainer.max_steps // FRAMES)
        if trainer.global_step == 0:
            save_picture(self._path(trainer), _frame(trainer, pl_module))

    @rank_zero_only
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if trainer.world_size == 1 and trainer.global_step % self.every == 0:
            save_picture(self._path(trainer), _frame(trainer, pl_module))

    @rank_zero_only
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and trainer.world_size > 1:  # when this process knows all fractals
            save_picture(self._path(trainer), _frame(trainer, pl_module))

    @rank_zero_only
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        paths = sorted((self.folder / "frames").glob("*.png"))
        frames = [_opened(path) for path in paths if int(path.stem) <= trainer.global_step]
        if not self._path(trainer).exists():
            frames.append(_frame(trainer, pl_module))
        durations = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
        with whole_file(self.folder / "fit.gif") as path:
            frames[0].save(
                path, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0
            )

    def _path(self, trainer: Trainer) -> Path:
        return self.folder / "frames" / f"{trainer.global_step:06d}.png"


def _frame(trainer: Trainer, pl_module: LightningModule) -> Image.Image:
    fractals = pl_module.gallery()  # type: ignore[operator]
    targets = trainer.datamodule.targets[: len(fractals)]  # type: ignore[attr-defined]
    return side_by_side([to_pil_image(grid(images)) for images in (fractals, targets)]).convert("L")


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("L")


def _plain(numbers: Any) -> Any:
    """A tensor as lists of numbers with seven digits; null where there is none."""
    if numbers.ndim:
        return [_plain(each) for each in numbers]
    value = float(numbers)
    return float(f"{value:.7g}") if value - value == 0 else None
