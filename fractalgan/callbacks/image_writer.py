"""Drawn images as a data set on disk: PNG files in one folder per class, or shards of a WebDataset."""

import io
import json
import logging
import re
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan import __version__
from fractalgan.data.fractals import LabelKind
from fractalgan.nn.dataset_card import dataset_card
from fractalgan.storage import atomic_write
from fractalgan.storage.labels import require_labels
from fractalgan.tasks import FractalTask

log = logging.getLogger(__name__)

Format = Literal["imagefolder", "webdataset"]

SHARD_IMAGES = 10_000
UNSAFE = re.compile(r"[^\w .+()-]")  # characters in the name of a folder


class Sample(NamedTuple):
    """A drawn image."""

    fractal: int
    number: int  # among the images of the fractal
    label: int
    folder: str  # the name of the label, for a path
    png: bytes


class ImageWriter(BasePredictionWriter, ABC):
    """Writes predictions ``(fractals [B], images [B, C, H, W])`` to a folder, with a card.

    Args:
        folder: where they are written.
        labels: what images are labeled with: their fractal, or the class that it carries.
        provenance: where the fractals come from, for the card.
    """

    def __init__(
        self, folder: Path, labels: LabelKind = "fractal", provenance: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder
        self.labels = labels
        self.provenance = dict(provenance or {})
        self._names: list[str] = []  # of the labels, as folders
        self._batches = 1  # in which an image of each fractal is drawn

    @abstractmethod
    def write(self, sample: Sample) -> None:
        """Write an image."""

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, FractalTask)
        self._batches = len(pl_module.predicted_batches())
        passes = int(sum(trainer.num_predict_batches)) * trainer.world_size // self._batches
        images = min(pl_module.images_per_fractal, passes)
        generator = pl_module.predicted_fractals()
        if self.labels == "class":
            require_labels(generator.embedding.labels, "the checkpoint")
        fractals = len(generator.embedding)
        width = max(3, len(str(fractals - 1)))
        numbers = [f"{number:0{width}d}" for number in range(fractals)]
        self._names = numbers if self.labels == "fractal" else folder_names(generator.embedding.classes)
        log.info(
            "writing %d images to %s: %d per fractal (set --images for another number)",
            *(images * fractals, self.folder, images),
        )
        if trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            card = dataset_card(generator.to_file(self.provenance), images, self.labels, __version__)
            atomic_write(self.folder / "README.md", card)
        trainer.strategy.barrier()

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
        assert isinstance(pl_module, FractalTask)
        of_class = self.labels == "class"
        of_fractals = pl_module.learned_fractals().embedding.labels if of_class else None
        number = (batch_idx * trainer.world_size + trainer.global_rank) // self._batches
        for fractal, image in zip(prediction[0].tolist(), prediction[1].cpu(), strict=True):
            label = fractal if of_fractals is None else int(of_fractals[fractal])
            buffer = io.BytesIO()
            to_pil_image(image).save(buffer, "PNG")
            self.write(Sample(fractal, number, label, self._names[label], buffer.getvalue()))


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder for each class: its name without what a path cannot have, with its number if two are alike."""
    names = [UNSAFE.sub("_", name).strip(". ") or "_" for name in classes]
    return [name if names.count(name) == 1 else f"{number}_{name}" for number, name in enumerate(names)]


class FolderWriter(ImageWriter):
    """Writes <folder>/<label>/<fractal>_<number>.png, which ImageFolder and ``--data.name folder`` read."""

    def write(self, sample: Sample) -> None:
        number = f"{sample.number:05d}"
        name = number if self.labels == "fractal" else f"{sample.fractal:05d}_{number}"
        path = self.folder / sample.folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.png)


class ShardWriter(ImageWriter):
    """Writes a WebDataset: <folder>/images-000000.tar, ..., of 10,000 samples each.

    A sample has ``png``, its label as ``cls``, and ``json``: the fractal, the number of the image, and the
    name of the label. The shards of several processes are numbered in turn.
    """

    def __init__(
        self, folder: Path, labels: LabelKind = "fractal", provenance: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(folder, labels, provenance)
        self._shard: tarfile.TarFile | None = None
        self._written = 0
        self._ranks = 0, 1  # this one, and how many

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_predict_start(trainer, pl_module)
        self._ranks = trainer.global_rank, trainer.world_size

    def write(self, sample: Sample) -> None:
        if self._written % SHARD_IMAGES == 0:
            self._close()
            rank, world_size = self._ranks
            number = self._written // SHARD_IMAGES * world_size + rank
            self._shard = tarfile.open(self.folder / f"images-{number:06d}.tar", "w")  # noqa: SIM115
        self._written += 1
        about = {"fractal": sample.fractal, "number": sample.number, "class": sample.folder}
        key = f"{sample.fractal:06d}_{sample.number:06d}"
        self._add(f"{key}.png", sample.png)
        self._add(f"{key}.cls", str(sample.label).encode())
        self._add(f"{key}.json", json.dumps(about).encode())

    def _add(self, name: str, content: bytes) -> None:
        assert self._shard is not None
        entry = tarfile.TarInfo(name)  # without a time, so that the same images are the same bytes
        entry.size = len(content)
        self._shard.addfile(entry, io.BytesIO(content))

    def _close(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()


# How predictions are written, by the name of the format.
WRITERS: dict[Format, type[ImageWriter]] = {"imagefolder": FolderWriter, "webdataset": ShardWriter}
