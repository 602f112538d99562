"""Labeled fractals that stand for real images: how a distillation reads, draws and evaluates them."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.errors import InputError, require_image_kind
from fractalgan.nn import FractalGenerator, Network, NetworkPool, make_network, ridge_weights
from fractalgan.randomness import Purpose, generator_for, same_weights
from fractalgan.storage import FractalFile
from fractalgan.storage.labels import require_same_classes
from fractalgan.tasks.fractal_task import FractalTask
from fractalgan.tasks.protocols import LabeledBatches, datamodule_of

GALLERY_SIZE = 100  # images
CHUNK = 1000  # images at a time
EVALUATED_NETWORKS = 4


class DistillationEvaluation(FractalTask):
    """The part of Distillation that has labeled fractals and networks, and evaluates them on real images.

    Attributes:
        generator: draws the fractals, those of a file or of a checkpoint; None before they are read.
        unread: why there is none.
        networks: on whose features images are compared.
        weights: of the ridge regressions of a validation, one [D, classes] per evaluated network.
    """

    generator: FractalGenerator | None
    unread: InputError | None = None
    networks: NetworkPool
    weights: list[Tensor]

    def _adopt(self, content: FractalFile, source: str) -> None:
        """Take over fractals, and make networks for their classes and channels."""
        generator, options = FractalGenerator.of_file(content, source), self.hparams
        classes = generator.embedding.classes
        if not classes:
            raise InputError(
                f"the fractals of {source} have no labels: learn some with fit --config labeled_fractals.yaml"
            )
        generator.image_size = options["image_size"]  # scales num_points and tau
        generator.jitter = generator.jitter if options["jitter"] is None else options["jitter"]
        names = ("network", "image_size", "width")
        name, size, width = (options[each] for each in names)

        def make() -> Network:
            return make_network(name, len(classes), size, generator.channels, width)

        with same_weights():
            self.networks = NetworkPool(make, options["networks"], options["max_age"])
        self.accuracy = MulticlassAccuracy(len(classes), average="micro")
        self.generator = generator

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._adopt(FractalFile(**checkpoint["fractals"]), "the checkpoint")
        super().on_load_checkpoint(checkpoint)

    def _drawn(self) -> FractalGenerator:
        """What draws the fractals. Raises InputError where there are none."""
        if self.generator is None:
            raise self.unread or InputError(
                "no fractals have been learned yet: set --ckpt_path to a checkpoint"
            )
        return self.generator

    def _check_data(self) -> None:
        """Raise InputError for images of other classes or channels than those of the fractals."""
        data, generator = datamodule_of(self.trainer), self._drawn()
        if not isinstance(data, LabeledBatches):
            raise InputError("Distillation needs labeled images: use --data fractalgan.ImageData")
        require_same_classes(
            generator.embedding.classes, data.classes, str(self.hparams["fractals"]), data.source
        )
        drawn = generator.channels
        require_image_kind(
            data.channels or 1,
            data.source,
            expected=drawn,
            reason="the fractals draw",
            remedy=f"set --data.channels {drawn}",
        )

    def learned_fractals(self) -> FractalGenerator:
        return self._drawn()

    @torch.no_grad()
    def gallery(self) -> Tensor:
        """One image of each fractal, of at most 100 that are spread evenly [n, C, H, W], without jitter."""
        generator = self._drawn()
        number = len(generator.embedding)
        chosen = torch.linspace(0, number - 1, min(number, GALLERY_SIZE)).round().long()
        random = generator_for(self.hparams["seed"], Purpose.GALLERY)
        images: Tensor = generator(chosen.to(self.device), generator.draw_sequences(chosen, random))
        return images

    # -- evaluation -----------------------------------------------------------------------------

    @torch.no_grad()
    def on_validation_start(self) -> None:
        """Fit a ridge regression to an image of each fractal, on the features of each of some networks."""
        self._check_data()
        embedding = self._drawn().embedding
        assert embedding.labels is not None
        random = generator_for(self.hparams["seed"], Purpose.DISTILLATION_EVALUATION)
        images = self._drawn().draw(range(len(embedding)), random)
        number, ridge = len(embedding.classes), self.hparams["ridge"]
        self.weights = [
            ridge_weights(_embed(network, images), embedding.labels, number, ridge)
            for network in self._evaluated()
        ]

    on_test_start = on_validation_start

    def _evaluated(self) -> list[Network]:
        return [self.networks[number] for number in range(min(len(self.networks), EVALUATED_NETWORKS))]

    def forward(self, images: Tensor) -> Tensor:
        """The classes of images [B, C, H, W] as ridge regressions predict them, their mean [B, classes]."""
        pairs = zip(self._evaluated(), self.weights, strict=True)
        return torch.stack([network.embed(images) @ weights for network, weights in pairs]).mean(0)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: tuple[Tensor, Tensor], stage: str) -> None:
        images, classes = batch
        self.accuracy(self(images), classes)
        self.log(f"{stage}/accuracy", self.accuracy, on_step=False, on_epoch=True)

    def on_validation_epoch_end(self) -> None:
        self.log("val/error", 1 - self.accuracy.compute(), sync_dist=True)


def _embed(network: Network, images: Tensor) -> Tensor:
    return torch.cat([network.embed(chunk) for chunk in torch.split(images, CHUNK)])
