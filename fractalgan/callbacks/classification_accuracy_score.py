"""How well a network classifies real images after it was trained on what labeled fractals draw."""

import logging

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from fractalgan.callbacks.short_training import trained_network
from fractalgan.errors import InputError, require_at_least, require_choice
from fractalgan.nn import Augmentation, FractalGenerator, Network, NetworkName, make_network
from fractalgan.randomness import Purpose, RandomSource, generator_for
from fractalgan.tasks.fractal_task import FractalTask
from fractalgan.tasks.protocols import ImageCollection, WithValidationImages, datamodule_of

log = logging.getLogger(__name__)

CHUNK = 500  # real images at a time


class ClassificationAccuracyScore(Callback):
    """Logs the classification accuracy score (Ravuri & Vinyals, NeurIPS 2019) at every validation.

    A network is trained from scratch on augmented images of the labeled fractals alone, and classifies the
    real validation images: ``val/classification_accuracy_score`` is its accuracy. Its initial weights and
    random numbers are the same at every validation, so that a change comes from the fractals. With several
    processes, each trains the same network.

    Args:
        steps: training steps of the network, at every validation.
        batch_size: images per step.
        network: lenet, or convnet, which is several times slower.
        width: channels of each block of a convnet; null is 32.
        speckle: largest standard deviation of speckle noise in the images of the fractals, as for Classifier.

    Raises:
        InputError: for an option out of range; before the first step of ``fit``, or at the end of a
            validation, for fractals without labels, data without real validation images, or images that are
            too small for the network.
    """

    def __init__(
        self,
        steps: int = 500,
        batch_size: int = 100,
        network: NetworkName = "lenet",
        width: int | None = None,
        speckle: float = 0.0,
    ) -> None:
        name = type(self).__name__
        require_at_least(0, **{f"{name}.speckle": speckle})
        require_at_least(1, **{f"{name}.steps": steps, f"{name}.batch_size": batch_size})
        require_choice(NetworkName, **{f"{name}.network": network})
        self.steps = steps
        self.batch_size = batch_size
        self.network: NetworkName = network
        self.width = width
        self.augmentation = Augmentation(speckle=speckle)
        self._check(2, 32, 1)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise InputError before the first step if labels or real images are missing."""
        generator, _ = self._compared(trainer, pl_module)
        self._check(*_shape(generator))
        log.info(
            "a %s is trained on images of the fractals at every validation, for %d steps",
            self.network,
            self.steps,
        )

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        generator, images = self._compared(trainer, pl_module)
        network = self._trained(generator, pl_module.hparams["seed"])
        score = accuracy(network, images, generator.embedding.b.device)
        pl_module.log("val/classification_accuracy_score", score, prog_bar=True, sync_dist=True)

    def _compared(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> tuple[FractalGenerator, ImageCollection]:
        """The labeled fractals of the task, and the real validation images."""
        name = type(self).__name__
        if not isinstance(pl_module, FractalTask):
            raise InputError(f"{name} needs a task that learns fractals, got {type(pl_module).__name__}")
        generator = pl_module.learned_fractals()
        if generator.embedding.labels is None:
            raise InputError(
                f"{name} needs labeled fractals: set --model.conditional projection, or use"
                " --config labeled_fractals.yaml"
            )
        data = datamodule_of(trainer)
        if not isinstance(data, WithValidationImages) or data.validation_images is None:
            raise InputError(
                f"{name} needs real validation images: use --data fractalgan.ImageData, or targets of"
                " --data.split train"
            )
        return generator, data.validation_images

    def _make(self, classes: int, image_size: int, channels: int) -> Network:
        try:
            return make_network(self.network, classes, image_size, channels, self.width)
        except InputError as error:
            message, name = error.for_command_line, type(self).__name__
            of_data = message.startswith("image_size")
            raise InputError(f"{message}: {name} trains one" if of_data else f"{name}.{message}") from error

    def _check(self, *shape: int) -> None:
        """Raise InputError if there is no network for the shape."""
        with torch.device("meta"):  # without numbers, those of the global generator included
            self._make(*shape)

    def _trained(self, generator: FractalGenerator, seed: int) -> Network:
        """A network that was trained on images of the fractals, determined by them and the seed."""
        labels, device = generator.embedding.labels, generator.embedding.b.device
        assert labels is not None

        @torch.no_grad()
        def batch(step: int) -> tuple[Tensor, Tensor]:
            random = RandomSource(generator_for(seed, step, Purpose.SCORE_IMAGES))
            fractals = torch.randint(len(labels), (self.batch_size,), generator=random.generator)
            images = self.augmentation(generator.draw(fractals, random), random)
            return images.float(), labels[fractals.to(device)]

        def make() -> Network:
            return self._make(*_shape(generator)).to(device)

        return trained_network(make, batch, self.steps, seed, Purpose.SCORE_WEIGHTS)


def _shape(generator: FractalGenerator) -> tuple[int, int, int]:
    """The number of classes, and the size and channels of the images."""
    return len(generator.embedding.classes), generator.image_size, generator.channels


@torch.no_grad()
def accuracy(network: Network, images: ImageCollection, device: torch.device) -> Tensor:
    """The share of images that a network assigns to their classes."""
    correct = torch.zeros((), device=device)
    for places in torch.split(torch.arange(len(images)), CHUNK):
        pixels, labels = images[places]
        correct += (network(pixels.to(device)).argmax(1) == labels.to(device)).sum()
    return correct / len(images)
