"""The picture of what a network is trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.callbacks import TrainingImages
from fractalgan.data import FractalData
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn.grid import grid
from fractalgan.storage import RunFolder
from fractalgan.tasks import Pretraining


class FirstBatch(Callback):
    """Keeps the first batch."""

    batch: tuple[torch.Tensor, torch.Tensor] | None = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self.batch is None:
            self.batch = tuple(each.clone() for each in batch)


def train(run: RunFolder, *callbacks: Callback) -> None:
    data = FractalData(num_fractals=3, num_transforms=2, size=16, images_per_class=4, batch_size=12)
    trainer = quiet_trainer(2, limit_val_batches=0, callbacks=[TrainingImages(run), *callbacks])
    trainer.fit(Pretraining(num_fractals=3, image_size=16), data)


def test_first_batch_is_drawn_class_by_class_and_once(tmp_path: Path) -> None:
    run, first = RunFolder(tmp_path), FirstBatch()
    train(run, first)
    path = run.figures / "training_images.png"
    drawn = np.asarray(Image.open(path), dtype=float)
    assert first.batch is not None
    images, labels = first.batch
    expected = grid(torch.cat([images[labels == label] for label in range(3)]))
    assert abs(drawn - expected.permute(1, 2, 0).numpy() * 255).max() <= 1
    written = path.stat().st_mtime_ns
    train(run)
    assert path.stat().st_mtime_ns == written
