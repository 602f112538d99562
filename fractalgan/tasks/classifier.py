"""Classifier: a network learns classes from what labeled fractals draw, or from real images."""

from typing import Any

from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy
from torchvision.transforms import v2

from fractalgan.errors import InputError, require_above, require_at_least, require_at_most
from fractalgan.limits import require_sizes
from fractalgan.nn import Augmentation, layer_groups, network_of
from fractalgan.randomness import Purpose, same_weights, torch_seeded
from fractalgan.tasks.accuracy import AccuracyTask
from fractalgan.tasks.channels import match_channels
from fractalgan.tasks.classification import (
    ClassificationTask,
    NetworkSchedule,
    OptimizerName,
    check_optimizer,
)
from fractalgan.tasks.pretrained import BackboneTask, follow_backbone_
from fractalgan.tasks.protocols import LabeledBatches, datamodule_of, require_classes


class Classifier(ClassificationTask, AccuracyTask, BackboneTask):
    """A network that is trained to classify augmented images, and evaluated on real ones.

    Batches are ``(images [B, C, H, W] in [0, 1], classes [B])``: those of training are what labeled fractals
    draw (LabeledFractalData) or real images (ImageData), those of validation and test are real images. With a
    backbone, this is fine-tuning: all weights are trained, from those of the backbone and a new head. The
    random numbers of augmentation, mixup and cutmix follow from (seed, step).

    Args:
        network: lenet; convnet, the network that work on data set distillation trains; a network of
            torchvision, such as resnet18; or timm/ and one of timm, such as timm/vit_tiny_patch16_224. null
            follows the backbone, or is convnet.
        width: channels of each block of a convnet; null follows the backbone, or is 32. Work on data set
            distillation uses 128, which takes ten times as long on a CPU.
        num_classes: number of classes; null follows the data.
        image_size: height and width in pixels; set by --data.size.
        channels: 1 for images in grayscale, 3 for color; null follows the images.
        small_stem: whether the first convolution of a network of torchvision or timm has 3 x 3 pixels and a
            stride of 1, with no pooling after it; null follows the backbone, or is false.
        backbone: pre-trained weights to start from: a checkpoint of Pretraining or Classifier, a run folder
            of theirs, or a .safetensors or .pth file, such as weights of torchvision or timm; null starts
            from random weights.
        optimizer: optimizer; SGD uses Nesterov momentum of 0.9.
        lr: initial learning rate.
        schedule: learning rate schedule: constant, or cosine down to 0 at the last step.
        warmup: share of the steps in which the learning rate first rises linearly.
        layer_decay: factor of the learning rate from each layer to the one below it (Clark et al. 2020); at
            1, all have the same.
        head_lr: initial learning rate of the head; null is lr.
        weight_decay: weight decay, decoupled for AdamW only.
        label_smoothing: share of each label that is spread evenly over all classes, in training.
        rotation: largest random rotation of training images, in degrees, either way.
        shift: largest random shift of training images along each axis, as a share of their size.
        scale: largest random change of size: factors are between 1 - scale and 1 + scale.
        shear: largest random horizontal shear, in degrees, either way.
        flip: whether half of the training images are flipped left to right, as is right for photographs, but
            not for digits.
        cutout: side of a square at a random place of each training image that is filled with its background,
            as a share of the image size; 0 disables it.
        speckle: largest standard deviation of speckle noise, x (1 + Gaussian noise) for each channel x of a
            pixel, so that black stays black; that of a training image is uniform between 0 and this. Fractals
            lack the texture of real images, which misleads a network that has never seen any.
        mixup: parameter of the beta distribution by which pairs of training images are blended (Zhang et al.
            2018); 0 disables it, 0.2 and 0.8 are usual.
        cutmix: that of the beta distribution of the shares of images that are pasted into others (Yun et al.
            2019); 0 disables it, 1 is usual. With mixup, each batch has one of them, at random.
        seed: random seed of the augmentation; defaults to --seed_everything.
    """

    callbacks = ("TrainingImages",)

    def __init__(
        self,
        network: str | None = None,
        width: int | None = None,
        num_classes: int | None = None,
        image_size: int = 32,
        channels: int | None = None,
        small_stem: bool | None = None,
        backbone: str | None = None,
        optimizer: OptimizerName = "Adam",
        lr: float = 1e-3,
        schedule: NetworkSchedule = "cosine",
        warmup: float = 0.0,
        layer_decay: float = 1.0,
        head_lr: float | None = None,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        rotation: float = 10.0,
        shift: float = 0.08,
        scale: float = 0.15,
        shear: float = 8.0,
        flip: bool = False,
        cutout: float = 0.0,
        speckle: float = 0.0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_at_least(2, num_classes=2 if num_classes is None else num_classes)
        require_sizes(image_size=image_size)
        check_optimizer(optimizer, lr, schedule, weight_decay)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing must be >= 0 and < 1, got {label_smoothing}")
        require_at_least(0, warmup=warmup, mixup=mixup, cutmix=cutmix)
        require_at_most(1, warmup=warmup, layer_decay=layer_decay)
        require_above(0, layer_decay=layer_decay, head_lr=lr if head_lr is None else head_lr)
        self.augmentation = Augmentation(rotation, shift, scale, shear, flip, cutout, speckle)
        self.save_hyperparameters()
        follow_backbone_(self.hparams, backbone, "convnet")
        self.awaits_backbone = backbone is not None
        self._build()

    def _build(self) -> None:
        self.network = network_of(self.hparams, self.hparams["num_classes"] or 1)  # until the data is known

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = datamodule_of(self.trainer)
        if data is not None:
            self._follow(data)
        if self.hparams["num_classes"] is None:
            raise InputError("num_classes must be set for loaders without a data module, got null")
        self.accuracy = MulticlassAccuracy(self.hparams["num_classes"], average="micro")
        self.mixing = mixing(self.hparams["mixup"], self.hparams["cutmix"], self.hparams["num_classes"])

    def _follow(self, data: object) -> None:
        """Make the network for the classes and channels of the data, or raise InputError if it cannot be."""
        if not isinstance(data, LabeledBatches):
            raise InputError(
                "Classifier needs labeled images: use --data fractalgan.LabeledFractalData"
                " or --data fractalgan.ImageData"
            )
        require_classes(data, "Classifier needs")
        number, known = len(data.classes), self.hparams["num_classes"]
        if known not in (None, number):
            raise InputError(f"the classifier has {known} classes, but {data.source} has {number}")
        self.hparams["num_classes"] = number
        others = match_channels(self.hparams, data.channels or 1, data.source)
        if others or known is None:
            with same_weights():
                self._build()

    def next_steps(self) -> dict[str, str]:
        return {"test": "test --ckpt_path {best}"}

    def parameter_groups(self) -> Any:
        lr, decay, head_lr = (self.hparams[name] for name in ("lr", "layer_decay", "head_lr"))
        if decay == 1 and head_lr is None:
            return super().parameter_groups()
        return layer_groups(self.network, lr, decay, lr if head_lr is None else head_lr)

    def augmented(self, images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        images = self.augmentation(images, self._random(self.global_step, Purpose.AUGMENTATION))
        if self.mixing is None:
            return images, classes
        with torch_seeded(self.hparams["seed"], self.global_step, self.global_rank, Purpose.MIXING):
            mixed: tuple[Tensor, Tensor] = self.mixing(images, classes)
        return mixed

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, classes = batch
        self._evaluate(self(images), classes, "test")


def mixing(mixup: float, cutmix: float, num_classes: int) -> nn.Module | None:
    """What mixes the images of a batch and their classes; None if neither mixup nor cutmix is wanted."""
    kinds = [(v2.MixUp, mixup), (v2.CutMix, cutmix)]
    wanted = [kind(alpha=alpha, num_classes=num_classes) for kind, alpha in kinds if alpha > 0]
    return v2.RandomChoice(wanted) if wanted else None
