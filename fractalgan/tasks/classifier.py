"""Classifier: a network learns classes from what labeled fractals draw, or from real images."""

from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.errors import InputError, as_input_error, require_at_least
from fractalgan.limits import require_sizes
from fractalgan.nn import Augmentation, NetworkName, make_network
from fractalgan.randomness import Purpose, same_weights
from fractalgan.tasks.accuracy import AccuracyTask
from fractalgan.tasks.channels import match_channels
from fractalgan.tasks.classification import (
    ClassificationTask,
    NetworkSchedule,
    OptimizerName,
    check_optimizer,
)
from fractalgan.tasks.protocols import LabeledBatches, datamodule_of, require_classes


class Classifier(ClassificationTask, AccuracyTask):
    """A network that is trained to classify augmented images, and evaluated on real ones.

    Batches are ``(images [B, C, H, W] in [0, 1], classes [B])``: those of training are what labeled fractals
    draw (LabeledFractalData) or real images (ImageData), those of validation and test are real images. The
    random numbers of the augmentation follow from (seed, step).

    Args:
        network: lenet; or convnet, the network that work on data set distillation trains.
        width: channels of each block of a convnet; null is 32. Work on data set distillation uses 128, which
            takes ten times as long on a CPU.
        num_classes: number of classes; null follows the data.
        image_size: height and width in pixels; set by --data.size.
        channels: 1 for images in grayscale, 3 for color; null follows the images.
        optimizer: optimizer; SGD uses Nesterov momentum of 0.9.
        lr: initial learning rate.
        schedule: learning rate schedule: constant, or cosine down to 0 at the last step.
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
        seed: random seed of the augmentation; defaults to --seed_everything.
    """

    def __init__(
        self,
        network: NetworkName = "convnet",
        width: int | None = None,
        num_classes: int | None = None,
        image_size: int = 32,
        channels: int | None = None,
        optimizer: OptimizerName = "Adam",
        lr: float = 1e-3,
        schedule: NetworkSchedule = "cosine",
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        rotation: float = 10.0,
        shift: float = 0.08,
        scale: float = 0.15,
        shear: float = 8.0,
        flip: bool = False,
        cutout: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_at_least(2, num_classes=2 if num_classes is None else num_classes)
        require_sizes(image_size=image_size)
        check_optimizer(optimizer, lr, schedule, weight_decay)
        if not 0 <= label_smoothing < 1:
            raise InputError(f"label_smoothing must be >= 0 and < 1, got {label_smoothing}")
        self.augmentation = Augmentation(rotation, shift, scale, shear, flip, cutout)
        self.save_hyperparameters()
        self._build()

    def _build(self) -> None:
        options = self.hparams
        outputs, channels = options["num_classes"] or 1, options["channels"] or 1  # until the data is known
        with as_input_error():
            self.network = make_network(
                options["network"], outputs, options["image_size"], channels, options["width"]
            )

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = datamodule_of(self.trainer)
        if data is not None:
            self._follow(data)
        if self.hparams["num_classes"] is None:
            raise InputError("num_classes must be set for loaders without a data module, got null")
        self.accuracy = MulticlassAccuracy(self.hparams["num_classes"], average="micro")

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

    def augmented(self, images: Tensor) -> Tensor:
        return self.augmentation(images, self._random(self.global_step, Purpose.AUGMENTATION))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, classes = batch
        self._evaluate(self(images), classes, "test")
