"""What a set of fractals is worth: a LeNet pre-trained on its images, and probes of its features."""

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from fractalgan.callbacks import BestCheckpoint, KeptCheckpoints, kept_path
from fractalgan.cells import Row
from fractalgan.data import FractalData, ImageData
from fractalgan.tasks import LinearProbe, Pretraining

# Options of the drawing that are of random fractals alone: learned ones are drawn as they were learned.
OF_RANDOM = {"start", "num_transforms", "num_points", "window", "tau", "jitter"}


class Job(NamedTuple):
    """One backbone, and what is to be measured of it."""

    source: str
    seed: int
    fractals: str | None  # what draws: a file, "random"; None where nothing is pre-trained
    cells: list[Row]  # all of a row but its accuracy


class Parts(NamedTuple):
    """What all jobs share: arguments of their data and tasks, and their steps."""

    num_fractals: int
    data: dict[str, Any]  # of ImageData
    pretraining: dict[str, Any]  # of Pretraining
    drawing: dict[str, Any]  # of FractalData
    steps: int  # of a LeNet
    every: int  # from one checkpoint to the next

    def pretraining_task(self) -> Pretraining:
        """A LeNet to be trained. Raises InputError for arguments that make none."""
        return Pretraining(num_fractals=self.num_fractals, image_size=self.data["size"], **self.pretraining)

    def fractal_data(self, fractals: str, seed: int) -> FractalData:
        """What it is trained on. Raises InputError for arguments that cannot be drawn."""
        drawing = {
            name: value
            for name, value in self.drawing.items()
            if fractals == "random" or name not in OF_RANDOM
        }
        return FractalData(fractals, self.num_fractals, size=self.data["size"], seed=seed, **drawing)


def measure(parts: Parts, job: Job) -> Iterator[Row]:
    """Pre-train the job's LeNet, if there is one, and yield its cells, each with its probe's accuracy."""
    real = _real_images(json.dumps(parts.data))
    with tempfile.TemporaryDirectory() as folder:
        if job.fractals:
            _pretrain(job, parts, Path(folder))
        for cell in job.cells:
            backbone = str(kept_path(Path(folder), cell["lenet_step"])) if job.fractals else job.source
            yield cell | {"accuracy": _probe(backbone, cell["labels"], job.seed, real)}


@cache
def _real_images(arguments: str) -> ImageData:
    return ImageData(**json.loads(arguments), binarize=None)


def _pretrain(job: Job, parts: Parts, folder: Path) -> None:
    """Leave the LeNet after every so many steps in the folder."""
    torch.manual_seed(job.seed)
    task, data = parts.pretraining_task(), parts.fractal_data(str(job.fractals), job.seed)
    kept = KeptCheckpoints(folder, parts.every)
    quiet_trainer(parts.steps, limit_val_batches=0, callbacks=[kept]).fit(task, data)


def _probe(backbone: str, labels: int | str, seed: int, real: ImageData) -> float:
    """Accuracy on the test images, under the penalty that the validation images like best."""
    known = None if labels == "all" else int(labels)
    with tempfile.TemporaryDirectory() as folder:
        trainer, best = fit_probe(backbone, known, real, seed, Path(folder))
        (judged,) = trainer.test(
            trainer.lightning_module, real, best.best_model_path, False, weights_only=True
        )
    return round(float(judged["test/accuracy"]), 6)


def fit_probe(
    backbone: str, labels_per_class: int | None, real: ImageData, seed: int, folder: Path
) -> tuple[Trainer, ModelCheckpoint]:
    """A trainer that has fitted a probe, and its best checkpoint, in ``folder``: one with the least error."""
    torch.manual_seed(seed)
    task = LinearProbe(backbone, labels_per_class, image_size=real.size, seed=seed)
    best = BestCheckpoint(folder / "best.ckpt", task.monitor)
    trainer = quiet_trainer(len(task.hparams["penalties"]), val_check_interval=1, callbacks=[best])
    trainer.fit(task, real)
    return trainer, best


def quiet_trainer(steps: int, **given: Any) -> Trainer:
    """A trainer on one CPU process that says nothing and writes nothing by itself."""
    options: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "check_val_every_n_epoch": None,
        "log_every_n_steps": 0,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return Trainer(max_steps=steps, **options | given)
