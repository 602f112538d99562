"""Pretraining: a network learns to tell fractals apart by the images that they draw (Tu et al., Sec. 5)."""

from typing import ClassVar

from torchmetrics.classification import MulticlassAccuracy

from fractalgan.errors import InputError
from fractalgan.limits import require_sizes
from fractalgan.nn import network_of
from fractalgan.randomness import same_weights
from fractalgan.tasks.channels import match_channels
from fractalgan.tasks.classification import (
    ClassificationTask,
    NetworkSchedule,
    OptimizerName,
    check_optimizer,
)
from fractalgan.tasks.protocols import PseudoClasses, datamodule_of


class Pretraining(ClassificationTask):
    """A J-way network, trained from scratch on the images of J fractals, each fractal a pseudo-class.

    Batches are ``(images [B, C, H, W] in [0, 1], pseudo-classes [B])``. A linear probe evaluates the features
    of its network, and Classifier fine-tunes them.

    Args:
        fractals: source of the images: random; perturbed, one random fractal in num_fractals variants; the
            name of fractals that ship with the project, a .safetensors, .json, .flame or .ifs file, a
            checkpoint of a task that learns fractals, or its run folder.
        num_fractals: number of fractals, each a pseudo-class (J).
        image_size: height and width in pixels; set by --data.size.
        channels: 1 for images in grayscale, 3 for color; null follows the fractals.
        network: lenet; convnet, the network that work on data set distillation trains; a network of
            torchvision, such as resnet18; or timm/ and one of timm, such as timm/vit_tiny_patch16_224.
        width: channels of each block of a convnet; null is 32.
        small_stem: whether the first convolution of a network of torchvision or timm has 3 x 3 pixels and a
            stride of 1, with no pooling after it, as is usual for images of 32 x 32.
        optimizer: optimizer; SGD uses Nesterov momentum of 0.9.
        lr: initial learning rate.
        schedule: learning rate schedule: constant, or cosine down to 0 at the last step.
        weight_decay: weight decay, decoupled for AdamW only.
    """

    monitor = "val/loss"
    checkpoint_interval = 1000  # the paper evaluates the features after each
    run_name = "pretraining"
    callbacks = ("SaveBackbone", "TrainingImages")
    legacy_options: ClassVar = {"channels": 1}

    def __init__(
        self,
        fractals: str = "random",
        num_fractals: int = 100,
        image_size: int = 32,
        channels: int | None = None,
        network: str = "lenet",
        width: int | None = None,
        small_stem: bool = False,
        optimizer: OptimizerName = "Adam",
        lr: float = 1e-3,
        schedule: NetworkSchedule = "constant",
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        require_sizes(2, num_fractals=num_fractals)
        require_sizes(image_size=image_size)
        check_optimizer(optimizer, lr, schedule, weight_decay)
        self.save_hyperparameters()
        self._build()
        self.accuracy = MulticlassAccuracy(num_fractals, average="micro")

    def _build(self) -> None:
        self.network = network_of(self.hparams, self.hparams["num_fractals"])

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = datamodule_of(self.trainer)
        if data is not None and not isinstance(data, PseudoClasses):
            raise InputError("Pretraining needs images of fractals: use --data fractalgan.FractalData")
        if data is not None:
            remedy = "use other --model.fractals, or --data.features for random ones"
            if match_channels(self.hparams, data.generator.channels, data.source, remedy):
                with same_weights():
                    self._build()

    def next_steps(self) -> dict[str, str]:
        sizes = self.sizes_for_next(image_size="data.size", channels="data.channels")
        return {
            "probe": f"fit --config probe.yaml --model.backbone {{last}}{sizes}",
            "fine-tune": f"fit --config finetuning.yaml --model.backbone {{last}}{sizes}",
        }
