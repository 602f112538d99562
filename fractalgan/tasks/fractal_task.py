"""What tasks that learn fractals have in common: what they save, and what they draw."""

import shlex
from abc import ABC, abstractmethod
from contextlib import suppress
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.randomness import Purpose
from fractalgan.storage.labels import Labels
from fractalgan.tasks.protocols import NamedSource, WithOrigin, datamodule_of, origin_of
from fractalgan.tasks.task import Task

BATCH_VALUES = 2**26  # of the images of a predicted batch: 256 MB


class FractalTask(Task, ABC):
    """A task that learns fractals. Its checkpoints serve wherever fractals are taken, and it predicts images.

    Attributes:
        images_per_fractal: images of each fractal that a prediction draws: 600, the paper's pre-training set.
        prediction_size: H = W of these images, in pixels; None is that of the training.
        prediction_jitter: std of their noise on A and b, as for FractalGenerator; None is that of the
            training.
    """

    images_per_fractal: int = 600
    prediction_size: int | None = None
    prediction_jitter: float | None = None

    @abstractmethod
    def learned_fractals(self) -> FractalGenerator:
        """The fractals as they are now, and how they are drawn."""

    def predicted_fractals(self) -> FractalGenerator:
        """The learned fractals as predictions draw them."""
        fractals = copy(self.learned_fractals())  # the parameters are shared
        if self.prediction_size is not None:
            fractals.image_size = self.prediction_size  # scales num_points and tau
        if self.prediction_jitter is not None:
            fractals.jitter = self.prediction_jitter
        return fractals

    @abstractmethod
    def gallery(self) -> Tensor:
        """One image per fractal [J, C, H, W], from the same random numbers every time."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["fractals"] = self._fractals_entry(self.learned_fractals())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        embedding = next(each for each in self.modules() if isinstance(each, FractalEmbedding))
        classes = checkpoint.get("fractals", {}).get("settings", {}).get("classes", ())
        unknown = Labels(torch.zeros(len(embedding), dtype=torch.long), tuple(classes))
        embedding.label_(unknown if classes else None)  # the state has the values

    def _fractals_entry(self, fractals: FractalGenerator) -> dict[str, Any]:
        """What the checkpoint says of its fractals: plain tensors and values."""
        data = origin_of(datamodule_of(self.trainer))
        known = {"task": type(self).__name__, "step": self.global_step, "seed": self.hparams["seed"]}
        return fractals.to_file(known | ({} if data is None else {"data": data}))._asdict()

    def next_for_labels(self) -> dict[str, str]:
        """The command that trains a classifier on the fractals.

        There is none for fractals of less than two classes, or of other than training images.
        """
        embedding = self.learned_fractals().embedding
        if embedding.labels is None or len(embedding.classes) < 2:
            return {}
        data = None
        with suppress(RuntimeError):  # there is no trainer
            data = datamodule_of(self.trainer)
        if isinstance(data, WithOrigin) and data.origin().get("split") != "train":
            return {}  # it would be judged by the images that the fractals were learned from
        options = data.source_options() if isinstance(data, NamedSource) else {}
        given = "".join(f" --data.{name} {shlex.quote(value)}" for name, value in options.items())
        given = given.replace("{", "{{").replace("}", "}}")  # of a path: they are no fields
        sizes = self.sizes_for_next(image_size="data.size")
        return {"classify": f"fit --config classifier.yaml --data.fractals {{best}}{given}{sizes}"}

    def predicted_batches(self) -> list[Tensor]:
        """The indices of all fractals, in the batches that draw an image of each: several of large images."""
        fractals = self.predicted_fractals()
        height, width = fractals.size
        in_batch = max(1, BATCH_VALUES // (fractals.channels * height * width))
        return list(torch.split(torch.arange(len(fractals.embedding)), in_batch))

    def predict_dataloader(self) -> DataLoader[Tensor]:
        """The batches of all fractals, ``images_per_fractal`` times."""
        batches = self.predicted_batches() * self.images_per_fractal
        return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]

    def predict_step(self, batch: Tensor, batch_idx: int) -> tuple[Tensor, Tensor]:
        """The fractals [B] of a batch, and a fresh image [B, C, H, W] of each."""
        return batch, self.predicted_fractals().draw(batch, self._random(batch_idx, Purpose.PREDICTION))
