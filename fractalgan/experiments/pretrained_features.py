"""What fractals are worth for pre-training: a LeNet trained on their images, and linear probes of it."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Trainer

from fractalgan.callbacks import BestCheckpoint, PeriodicCheckpoint
from fractalgan.data import FractalData, ImageData
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.experiments.real_images import real_images
from fractalgan.experiments.run_cells import CellsJob
from fractalgan.storage import Row, RunFolder
from fractalgan.tasks import LinearProbe, Pretraining

# Drawing options of random fractals only: points and window of learned ones are those of their training.
RANDOM_ONLY = {"start", "num_transforms", "num_points", "window", "tau", "features"}


@dataclass(frozen=True)
class BackboneJob(CellsJob):
    """One backbone, and the cells that are measured with it.

    Args:
        source: of its images.
        seed: random seed.
        fractals: "random" or a file; None for a backbone without pre-training.
    """

    source: str
    seed: int
    fractals: str | None


class BackboneOptions(NamedTuple):
    """What all jobs of an experiment share."""

    num_fractals: int
    data: dict[str, Any]  # arguments of ImageData
    pretraining: dict[str, Any]  # arguments of Pretraining
    drawing: dict[str, Any]  # arguments of FractalData
    steps: int  # training steps of a LeNet
    every: int  # steps from one probe to the next

    def pretraining_task(self) -> Pretraining:
        """The LeNet to be trained.

        Raises:
            InputError: for invalid arguments.
        """
        return Pretraining(num_fractals=self.num_fractals, image_size=self.data["size"], **self.pretraining)

    def fractal_data(self, fractals: str, seed: int, channels: int = 1) -> FractalData:
        """The images that it is trained on; random fractals have colors if the real images do.

        Raises:
            InputError: for invalid arguments.
        """
        drawing = {
            name: value
            for name, value in self.drawing.items()
            if fractals == "random" or name not in RANDOM_ONLY
        }
        if fractals == "random" and channels == 3 and drawing.get("features") is None:
            drawing["features"] = 3
        return FractalData(fractals, self.num_fractals, size=self.data["size"], seed=seed, **drawing)


def measure_backbone(options: BackboneOptions, job: BackboneJob) -> Iterator[Row]:
    """Pre-train the LeNet of a job, if it has one, and yield its cells with the accuracy of a probe."""
    real = real_images(**options.data, binarize=None)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        if job.fractals:
            _pretrain(job, options, run, real)
        for cell in job.cells:
            backbone = str(run.periodic(cell["lenet_step"])) if job.fractals else job.source
            yield cell | {"accuracy": _probe(backbone, cell["labels"], job.seed, real)}


def _pretrain(job: BackboneJob, options: BackboneOptions, run: RunFolder, real: ImageData) -> None:
    """Leave a checkpoint of the LeNet in the folder after every ``options.every`` steps."""
    torch.manual_seed(job.seed)
    task, channels = options.pretraining_task(), real.sample(1).shape[1]
    data = options.fractal_data(str(job.fractals), job.seed, channels)
    checkpoints = PeriodicCheckpoint(run, options.every)
    quiet_trainer(options.steps, limit_val_batches=0, callbacks=[checkpoints]).fit(task, data)


def _probe(backbone: str, labels: int | str, seed: int, real: ImageData) -> float:
    """Accuracy on the test images, with the penalty that is best on the validation images."""
    labels_per_class = None if labels == "all" else int(labels)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        trainer, _ = fit_probe(backbone, labels_per_class, real, seed, run)
        (metrics,) = trainer.test(trainer.lightning_module, real, run.best, False, weights_only=True)
    return round(float(metrics["test/accuracy"]), 6)


def fit_probe(
    backbone: str, labels_per_class: int | None, real: ImageData, seed: int, run: RunFolder
) -> tuple[Trainer, BestCheckpoint]:
    """Fit a linear probe.

    Returns:
        The trainer, and the callback that keeps best.ckpt in the run folder: the checkpoint with the lowest
        validation error.
    """
    torch.manual_seed(seed)
    task = LinearProbe(backbone, labels_per_class, image_size=real.size, seed=seed)
    best = BestCheckpoint(run, task.monitor)
    trainer = quiet_trainer(len(task.hparams["penalties"]), val_check_interval=1, callbacks=[best])
    trainer.fit(task, real)
    return trainer, best
