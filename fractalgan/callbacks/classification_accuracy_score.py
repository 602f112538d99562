"""How well a network classifies real images after it was trained on what labeled fractals draw."""

import torch
import torch.nn.functional as F
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from fractalgan.errors import InputError, require_at_least
from fractalgan.nn import Augmentation, FractalGenerator, Network, NetworkName, make_network
from fractalgan.randomness import Purpose, RandomSource, generator_for, torch_seeded
from fractalgan.tasks.fractal_task import FractalTask
from fractalgan.tasks.protocols import ImageCollection, ValidatedImages, datamodule_of

LEARNING_RATE = 1e-3
EVALUATED = 500  # images at a time


class ClassificationAccuracyScore(Callback):
    """Logs the classification accuracy score (Ravuri & Vinyals, NeurIPS 2019) at every validation.

    A network is trained from scratch on augmented images of the labeled fractals alone, and classifies the
    real validation images: ``val/classification_accuracy_score`` is its accuracy. Its weights and random
    numbers are the same at every validation, so that a change comes from the fractals.

    Args:
        steps: training steps of the network.
        batch_size: images per step.
        network: lenet, or convnet, which takes some times as long.
        width: channels of each block of a convnet; null is 32.

    Raises:
        InputError: for an option out of range; at the start of a run, for fractals without labels, or data
            without real images for validation.
    """

    def __init__(
        self,
        steps: int = 500,
        batch_size: int = 100,
        network: NetworkName = "lenet",
        width: int | None = None,
    ) -> None:
        name = type(self).__name__
        require_at_least(1, **{f"{name}.steps": steps, f"{name}.batch_size": batch_size})
        make_network(network, 2, 32, 1, width)  # to check the options
        self.steps = steps
        self.batch_size = batch_size
        self.network: NetworkName = network
        self.width = width

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out what is missing before the first step."""
        self._compared(trainer, pl_module)

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
        """The labeled fractals of the task, and the real images for validation."""
        name = type(self).__name__
        if not isinstance(pl_module, FractalTask) or pl_module.learned_fractals().embedding.labels is None:
            raise InputError(f"{name} needs fractals with labels: a conditional FractalGAN learns some")
        data = datamodule_of(trainer)
        if not isinstance(data, ValidatedImages) or data.validation_images is None:
            raise InputError(f"{name} needs real images for validation, of which there are none")
        return pl_module.learned_fractals(), data.validation_images

    def _trained(self, generator: FractalGenerator, seed: int) -> Network:
        """A network that was trained on images of the fractals; it follows from them and the seed."""
        labels, device = generator.embedding.labels, generator.embedding.b.device
        assert labels is not None
        shape = len(generator.embedding.classes), generator.image_size, generator.channels
        augmentation = Augmentation()
        with torch_seeded(seed, Purpose.SCORE_WEIGHTS), torch.inference_mode(False), torch.enable_grad():
            network = make_network(self.network, *shape, self.width).to(device)
            optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
            for step in range(self.steps):
                random = RandomSource(generator_for(seed, step, Purpose.SCORE_IMAGES))
                fractals = torch.randint(len(labels), (self.batch_size,), generator=random.generator)
                with torch.no_grad():
                    images = augmentation(generator.draw(fractals, random), random)
                optimizer.zero_grad()
                loss = F.cross_entropy(network(images), labels[fractals.to(device)])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        return network


@torch.no_grad()
def accuracy(network: Network, images: ImageCollection, device: torch.device) -> Tensor:
    """The share of images that a network assigns to their classes."""
    right = torch.zeros((), device=device)
    for places in torch.split(torch.arange(len(images)), EVALUATED):
        pixels, labels = images[places]
        right += (network(pixels.to(device)).argmax(1) == labels.to(device)).sum()
    return right / len(images)
