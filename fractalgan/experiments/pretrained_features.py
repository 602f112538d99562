"""What fractals are worth for pre-training: a network trained on their images, probed and fine-tuned."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pytorch_lightning import Trainer

from fractalgan.callbacks import BestCheckpoint, FinalValidation, PeriodicCheckpoint
from fractalgan.data import SYNTHETIC, FractalData, ImageData
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.experiments.real_images import few_labels, real_images
from fractalgan.experiments.recipe import Recipe
from fractalgan.experiments.run_cells import CellsJob
from fractalgan.storage import Row, RunFolder
from fractalgan.storage.backbone_file import NETWORK
from fractalgan.tasks import Classifier, LinearProbe, Pretraining
from fractalgan.tasks.accuracy import AccuracyTask
from fractalgan.tasks.pretrained import KIND
from fractalgan.tasks.probe import UNTRAINED

# Drawing options of fractals that are not learned: learned ones have their own points and window.
SAMPLED_ONLY = {"start", "num_transforms", "perturbation", "num_points", "window", "tau", "features"}
VALIDATIONS = 5  # of a network that is fine-tuned; the best of them is tested


@dataclass(frozen=True)
class BackboneJob(CellsJob):
    """One backbone, and the cells that are measured with it.

    Args:
        source: of its images.
        seed: random seed.
        fractals: random, perturbed, or a file; None for a backbone without pre-training.
    """

    source: str
    seed: int
    fractals: str | None


class BackboneOptions(NamedTuple):
    """What all jobs of an experiment share."""

    num_fractals: int  # of those that are not learned
    data: dict[str, Any]  # arguments of ImageData
    pretraining: dict[str, Any]  # arguments of Pretraining
    drawing: dict[str, Any]  # arguments of FractalData
    finetuning: Recipe  # of Classifier
    steps: int  # pre-training steps of a network
    every: int  # steps from one evaluation to the next
    trainer: dict[str, Any]  # arguments of the Trainer: accelerator and precision

    def pretraining_task(self, num_fractals: int | None = None) -> Pretraining:
        """The network to be trained.

        Raises:
            InputError: for invalid arguments.
        """
        number = self.num_fractals if num_fractals is None else num_fractals
        return Pretraining(num_fractals=number, image_size=self.data["size"], **self.pretraining)

    def network(self) -> dict[str, Any]:
        """The options that say what the network is."""
        return {name: self.pretraining.get(name, NETWORK[name]) for name in KIND}

    def finetuning_task(self, backbone: str | None, seed: int) -> Classifier:
        """The task that fine-tunes a backbone, or trains such a network from random weights.

        Raises:
            InputError: for invalid arguments.
        """
        arguments = self.network() | self.finetuning.arguments
        return Classifier(backbone=backbone, image_size=self.data["size"], seed=seed, **arguments)

    def fractal_data(self, fractals: str, seed: int, channels: int = 1) -> FractalData:
        """The images that it is trained on; random fractals have colors if the real images do.

        Raises:
            InputError: for invalid arguments.
        """
        sampled = fractals in SYNTHETIC
        drawing = {name: value for name, value in self.drawing.items() if sampled or name not in SAMPLED_ONLY}
        if fractals == "random":
            drawing.pop("perturbation", None)
        if sampled and channels == 3 and drawing.get("features") is None:
            drawing["features"] = 3
        number = self.num_fractals if sampled else None
        return FractalData(fractals, number, size=self.data["size"], seed=seed, **drawing)


def measure_backbone(options: BackboneOptions, job: BackboneJob) -> Iterator[Row]:
    """Pre-train the network of a job, if it has one, and yield its cells with their accuracies."""
    real = real_images(**options.data, binarize=None)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        if job.fractals:
            _pretrain(job, options, run, real)
        for cell in job.cells:
            backbone = str(run.periodic(cell["network_step"])) if job.fractals else job.source
            labels = None if cell["labels"] == "all" else int(cell["labels"])
            measure = _probe if cell["protocol"] == "probe" else _finetune
            yield cell | measure(options, backbone, labels, job.seed, real)


def _pretrain(job: BackboneJob, options: BackboneOptions, run: RunFolder, real: ImageData) -> None:
    """Leave a checkpoint of the network in the folder after every ``options.every`` steps."""
    torch.manual_seed(job.seed)
    data = options.fractal_data(str(job.fractals), job.seed, real.sample(1).shape[1])
    task = options.pretraining_task(data.num_fractals)
    checkpoints = PeriodicCheckpoint(run, options.every)
    trainer = quiet_trainer(options.steps, limit_val_batches=0, callbacks=[checkpoints], **options.trainer)
    trainer.fit(task, data)


def _probe(
    options: BackboneOptions, backbone: str, labels: int | None, seed: int, real: ImageData
) -> dict[str, float]:
    """The accuracies with the penalty that is best on the validation images."""
    network = options.network() if backbone == UNTRAINED else {}
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        trainer, best = fit_probe(
            backbone, labels, real, seed, run, options.trainer["accelerator"], **network
        )
        return _accuracies(trainer, best, real)


def fit_probe(
    backbone: str,
    labels_per_class: int | None,
    real: ImageData,
    seed: int,
    run: RunFolder,
    accelerator: str = "cpu",
    **network: Any,
) -> tuple[Trainer, BestCheckpoint]:
    """Fit a linear probe.

    Returns:
        The trainer, and the callback that keeps best.ckpt in the run folder: the checkpoint with the lowest
        validation error.
    """
    torch.manual_seed(seed)
    task = LinearProbe(backbone, labels_per_class, image_size=real.size, seed=seed, **network)
    best = BestCheckpoint(run, task.monitor)
    steps = len(task.hparams["penalties"])
    trainer = quiet_trainer(steps, val_check_interval=1, callbacks=[best], accelerator=accelerator)
    trainer.fit(task, real)
    return trainer, best


def _finetune(
    options: BackboneOptions, backbone: str, labels: int | None, seed: int, real: ImageData
) -> dict[str, float]:
    """The accuracies of the best of some validations, from a backbone or from random weights."""
    torch.manual_seed(seed)
    recipe = options.finetuning
    task = options.finetuning_task(None if backbone == UNTRAINED else backbone, seed)
    data = few_labels(real, labels, recipe.batch_size, seed)
    with tempfile.TemporaryDirectory() as folder:
        best = BestCheckpoint(RunFolder(Path(folder)), task.monitor)
        interval = -(-recipe.steps // VALIDATIONS)
        trainer = quiet_trainer(
            recipe.steps,
            val_check_interval=interval,
            callbacks=[best, FinalValidation()],
            **options.trainer,
        )
        trainer.fit(task, data)
        return _accuracies(trainer, best, data)


def _accuracies(trainer: Trainer, best: BestCheckpoint, real: ImageData) -> dict[str, float]:
    """The accuracy of the best checkpoint on the test images, and on the validation images."""
    task = trainer.lightning_module
    assert isinstance(task, AccuracyTask)
    assert best.score is not None
    (metrics,) = trainer.test(task, real, str(best.path), False, weights_only=True)
    return {
        "accuracy": round(float(metrics["test/accuracy"]), 6),
        "validation": round(1 - best.score, 6),
    }
