"""Labeled fractals that stand for real images: how a distillation reads, draws and evaluates them."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.errors import InputError, as_input_error, require_image_kind
from fractalgan.nn import FractalGenerator, Network, NetworkPool, make_network, ridge_weights
from fractalgan.randomness import Purpose, generator_for, same_weights
from fractalgan.storage import FractalFile, read_fractals
from fractalgan.storage.fractal_content import check_content
from fractalgan.storage.labels import require_same_classes, require_trainable
from fractalgan.storage.origin import require_held_out
from fractalgan.tasks.accuracy import AccuracyTask
from fractalgan.tasks.fractal_task import FractalTask
from fractalgan.tasks.protocols import LabeledBatches, WithOrigin, datamodule_of

GALLERY_SIZE = 100  # images
CHUNK = 250  # images at a time
EVALUATED_NETWORKS = 4


class DistillationEvaluation(FractalTask, AccuracyTask):
    """The part of Distillation that has labeled fractals and networks, and evaluates them on real images.

    Attributes:
        generator: draws the fractals, those of a file or of a checkpoint; None before they are read.
        networks: on whose features images are compared.
        weights: of the ridge regressions of a validation, one [D, classes] per evaluated network.
    """

    generator: FractalGenerator | None
    networks: NetworkPool
    weights: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.generator = None
        self.weights = []

    # -- the fractals ---------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if self.generator is None:
            fractals = self.hparams["fractals"]
            if fractals is None:
                raise InputError(
                    "set --model.fractals to labeled fractals: learn some with"
                    " fit --config labeled_fractals.yaml"
                )
            self._adopt(read_fractals(fractals), fractals)
        if stage != "predict":
            self._check_data()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        content = FractalFile(**checkpoint["fractals"])
        with as_input_error("the fractals of the checkpoint"):
            check_content(content)
        self._adopt(content, "the checkpoint")
        super().on_load_checkpoint(checkpoint)

    def _adopt(self, content: FractalFile, source: str) -> None:
        """Take over fractals, and make networks for their classes and channels."""
        generator, options = FractalGenerator.of_file(content, source), self.hparams
        number = len(generator.embedding.classes)
        require_trainable(generator.embedding.labels, generator.embedding.classes, source)
        generator.image_size = options["image_size"]  # scales num_points and tau
        generator.jitter = generator.jitter if options["jitter"] is None else options["jitter"]
        name, size, width = (options[each] for each in ("network", "image_size", "width"))
        make = partial(make_network, name, number, size, generator.channels, width)
        with same_weights():
            self.networks = NetworkPool(make, options["networks"], options["max_age"])
        self.accuracy = MulticlassAccuracy(number, average="micro")
        self.generator = generator

    def _check_data(self) -> None:
        """Raise InputError for images of other classes or channels than those of the fractals."""
        data, generator = datamodule_of(self.trainer), self.learned_fractals()
        if data is None:  # but loaders, which do not say what their images are
            return
        if not isinstance(data, LabeledBatches):
            raise InputError("Distillation needs labeled images: use --data fractalgan.ImageData")
        source = str(self.hparams["fractals"])
        require_same_classes(generator.embedding.classes, data.classes, source, data.source)
        if isinstance(data, WithOrigin):
            require_held_out(generator.provenance, data.origin(), source)
        require_image_kind(
            data.channels or 1,
            data.source,
            expected=generator.channels,
            reason=f"the fractals of {source} draw",
            remedy=f"set --data.channels {generator.channels}",
        )

    def learned_fractals(self) -> FractalGenerator:
        if self.generator is None:
            raise InputError("no fractals have been read yet: set --ckpt_path to a checkpoint")
        return self.generator

    @property
    def labels(self) -> Tensor:
        """The class of each fractal, [J]."""
        labels = self.learned_fractals().embedding.labels
        assert labels is not None  # as `_adopt` has made sure
        return labels

    @property
    def set_sizes(self) -> Tensor:
        """The number of fractals of each class, [classes]."""
        return self.labels.bincount(minlength=len(self.learned_fractals().embedding.classes))

    @torch.no_grad()
    def gallery(self) -> Tensor:
        """One image of each fractal, of at most 100 that are spread evenly [n, C, H, W], without jitter."""
        generator = self.learned_fractals()
        number = len(generator.embedding)
        chosen = torch.linspace(0, number - 1, min(number, GALLERY_SIZE)).round().long()
        random = generator_for(self.hparams["seed"], Purpose.GALLERY)
        images: Tensor = generator(chosen.to(self.device), generator.draw_sequences(chosen, random))
        return images

    # -- evaluation -----------------------------------------------------------------------------

    @torch.no_grad()
    def on_validation_start(self) -> None:
        """Fit a ridge regression to an image of each fractal, on the features of each of some networks."""
        generator = self.learned_fractals()
        random = generator_for(self.hparams["seed"], Purpose.DISTILLATION_EVALUATION)
        chunks = torch.split(torch.arange(len(generator.embedding)), CHUNK)
        images = [generator.draw(fractals, random) for fractals in chunks]
        number, ridge = len(generator.embedding.classes), self.hparams["ridge"]
        self.weights = []
        for network in self._evaluated():
            features = torch.cat([network.embed(chunk) for chunk in images])
            self.weights.append(ridge_weights(features, self.labels, number, ridge))

    on_test_start = on_validation_start

    def _evaluated(self) -> list[Network]:
        return [self.networks[number] for number in range(min(len(self.networks), EVALUATED_NETWORKS))]

    def _predicted(self, images: Tensor) -> Tensor:
        """The classes of images [B, C, H, W] as ridge regressions predict them, their mean [B, classes]."""
        with torch.autocast(self.device.type, enabled=False):  # as the regressions were fitted
            pairs = zip(self._evaluated(), self.weights, strict=True)
            return torch.stack([network.embed(images) @ weights for network, weights in pairs]).mean(0)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, classes = batch
        self._evaluate(self._predicted(images), classes, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, classes = batch
        self._evaluate(self._predicted(images), classes, "test")
