"""How well a network classifies real images after it was trained on a stored set."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from pytorch_lightning import LightningDataModule, Trainer

from fractalgan.data import LabeledFractalData
from fractalgan.experiments.hardware import trainer_options
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.experiments.recipe import Recipe
from fractalgan.experiments.run_cells import CellsJob
from fractalgan.experiments.stored_sets import StoredSets
from fractalgan.reports import distill
from fractalgan.storage import Row, read_fractals, stored_numbers
from fractalgan.tasks import Classifier


class Trained(NamedTuple):
    """A classifier and what it is tested with."""

    jitter: float | None
    validation: float  # accuracy
    trainer: Trainer
    task: Classifier
    data: LightningDataModule


@dataclass(frozen=True)
class SetAccuracies:
    """Measures the cells of jobs.

    Args:
        sets: what networks are trained on.
        classifier: how they are trained.
        folder: of the files of fractals.
    """

    sets: StoredSets
    classifier: Recipe
    folder: Path

    def __call__(self, job: CellsJob) -> Iterator[Row]:
        """Yield each cell of a job with its results."""
        for cell in job.cells:
            yield self._measured(cell)

    def _measured(self, cell: Row) -> Row:
        """A cell with its accuracy on the test images, which are seen once, after the jitter is chosen."""
        started = time.monotonic()
        source, images = cell["source"], cell["images_per_class"]
        per_class = self.sets.per_class(source, images)
        numbers = per_class * len(self.sets.real.classes) * self.sets.numbers_of_image
        jitters: list[float | None] = [None]
        path = None
        if source not in distill.IMAGES:
            path = self.sets.fractals(self.folder, source, images, cell["seed"])
            numbers = stored_numbers(read_fractals(path))
            jitters = [cell["jitter"]] if "jitter" in cell else list(self.sets.plan.jitters)
        best = self._trained(cell, path, jitters[0])
        for jitter in jitters[1:]:
            other = self._trained(cell, path, jitter)
            best = other if other.validation > best.validation else best
        (metrics,) = best.trainer.test(best.task, best.data, verbose=False)
        measured = cell | {
            "per_class": per_class,
            "numbers": numbers,
            "jitter": best.jitter,
            "validation": best.validation,
            "accuracy": round(float(metrics["test/accuracy"]), 6),
        }
        seconds = round(time.monotonic() - started, 1)
        return {name: measured[name] for name in distill.COLUMNS} | {"seconds": seconds}

    def _trained(self, cell: Row, fractals: Path | None, jitter: float | None) -> Trained:
        """A classifier after its last step, and its accuracy on the validation images."""
        recipe, sets, seed = self.classifier, self.sets, cell["seed"]
        data: LightningDataModule
        if fractals is None:
            data = sets.images(cell["source"], cell["images_per_class"], seed, recipe.batch_size)
        else:
            data = LabeledFractalData(
                str(fractals), **sets.data, jitter=jitter, batch_size=recipe.batch_size, seed=seed
            )
            data.real = sets.real  # the same images, which are not read again
        torch.manual_seed(seed)
        task = Classifier(image_size=sets.real.size, seed=seed, **recipe.arguments)
        trainer = quiet_trainer(
            recipe.steps,
            val_check_interval=recipe.steps,
            enable_checkpointing=False,
            **trainer_options(sets.plan),
        )
        trainer.fit(task, data)
        validation = round(float(trainer.callback_metrics["val/accuracy"]), 6)
        return Trained(jitter, validation, trainer, task, data)
