"""LinearProbe: multinomial logistic regression on the frozen features of a pre-trained network."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.errors import InputError, require_above, require_at_least
from fractalgan.nn import network_of
from fractalgan.randomness import Purpose, generator_for, same_weights
from fractalgan.tasks.accuracy import AccuracyTask
from fractalgan.tasks.channels import channels_of, match_channels
from fractalgan.tasks.pretrained import BackboneTask, follow_backbone_
from fractalgan.tasks.protocols import ImageCollection, LabeledImages, datamodule_of, require_classes

UNTRAINED, PIXELS = "untrained", "pixels"
DEFAULT_NETWORK = "lenet"

CHUNK = 1000  # images of 32 x 32 at a time

# Where L-BFGS stops. Three times the iterations changed the accuracy on Fashion-MNIST by less than 0.001.
MAX_ITERATIONS, TOLERANCE_GRAD, TOLERANCE_CHANGE = 100, 1e-5, 1e-7

MIN_STD = 1e-6  # of a feature: one that does not vary is not scaled


class LinearProbe(AccuracyTask, BackboneTask):
    """A linear layer on the frozen, standardized features of a backbone: multinomial logistic regression.

    Each step fits the layer to all training images, by L-BFGS, under the next of ``penalties``; the best
    checkpoint is that of the penalty with the lowest error on the validation images. The features are
    computed once, and standardized by their mean and std over the training images.

    Args:
        backbone: pre-trained weights: a checkpoint of Pretraining or Classifier, a run folder of theirs, or a
            .safetensors or .pth file; or, for reference, untrained for a network with random weights, or
            pixels for the images themselves.
        labels_per_class: number of labeled training images per class; null uses all.
        penalties: weights of the L2 penalty, half the squared norm of the layer, largest first, one per step;
            each fit starts from the result of the one before.
        num_classes: number of classes; null uses those of the data.
        image_size: height and width in pixels; set by --data.size.
        channels: 1 for images in grayscale, 3 for color; null follows the images.
        network: network of the backbone, as for Pretraining; null follows the backbone, or is lenet.
        width: channels of each block of a convnet; null follows the backbone, or is 32.
        small_stem: whether the first layers are made for small images, as for Pretraining; null follows the
            backbone, or is false.
        seed: random seed; defaults to --seed_everything.
    """

    run_name = "probe"
    trains_on_batches = False  # but on all images
    legacy_names = {"deviation": "std"}
    legacy_options: ClassVar = {"channels": 1}
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: str = UNTRAINED,
        labels_per_class: int | None = None,
        penalties: list[float] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6],  # noqa: B006
        num_classes: int | None = None,
        image_size: int = 32,
        channels: int | None = None,
        network: str | None = None,
        width: int | None = None,
        small_stem: bool | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_at_least(1, labels_per_class=1 if labels_per_class is None else labels_per_class)
        if not penalties:
            raise InputError("penalties must have at least one value, got []")
        require_above(0, **{f"penalties[{k}]": each for k, each in enumerate(penalties)})
        if backbone == PIXELS and network not in (None, DEFAULT_NETWORK):
            raise InputError("network has no effect with --model.backbone pixels: remove it")
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.awaits_backbone = backbone not in (UNTRAINED, PIXELS)
        follow_backbone_(self.hparams, backbone if self.awaits_backbone else None, DEFAULT_NETWORK)
        self._build()
        self.chosen = torch.arange(0)  # indices of the training images that have a label
        self.examples: tuple[Tensor, Tensor] | None = None  # features and labels of the training images

    def _build(self) -> None:
        """Make what depends on the channels of the images."""
        self.network = network_of(self.hparams, 1).requires_grad_(False)
        size, channels = self.hparams["image_size"], self.hparams["channels"] or 1
        number = channels * size**2 if self.hparams["backbone"] == PIXELS else self.network.num_features
        self.register_buffer("mean", torch.zeros(number))
        self.register_buffer("std", torch.ones(number))
        self.head = nn.Linear(number, self.hparams["num_classes"] or 1)  # replaced once the data is known

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, classes] of images [B, C, H, W]."""
        logits: Tensor = self.head((self._features(images) - self.mean) / self.std)
        return logits

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        self.network.eval()  # or batch norm would learn from the images
        return images.flatten(1) if self.hparams["backbone"] == PIXELS else self.network.embed(images)

    def next_steps(self) -> dict[str, str]:
        return {"test": "test --ckpt_path {best}"}

    # -- before the first step ------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = self._data()
        if match_channels(self.hparams, channels_of(data) or 1, data.source):
            with same_weights():
                self._build()
        number, known = len(data.classes), self.hparams["num_classes"]
        if stage == "fit":
            self._check_max_steps()
            self.chosen = labeled_indices(
                self._train_images().labels,
                self.hparams["labels_per_class"],
                generator_for(self.hparams["seed"], Purpose.PROBE_LABELS),
            )
            self.hparams["num_classes"] = number
            self.head = nn.Linear(len(self.mean), number)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
        elif known is None:
            raise InputError("the probe has not been trained: set --ckpt_path to its checkpoint")
        elif known != number:
            raise InputError(f"the probe was trained on {known} classes, but {data.source} has {number}")
        self.accuracy = MulticlassAccuracy(number, average="micro")

    def on_train_start(self) -> None:
        images = self._train_images()
        at_a_time = min(CHUNK, max(1, CHUNK * 32**2 // self.hparams["image_size"] ** 2))
        chunks = (images[part][0].to(self.device) for part in torch.split(self.chosen, at_a_time))
        features = torch.cat([self._features(chunk) for chunk in chunks])
        self.mean.copy_(features.mean(0))
        std = features.std(0)
        self.std.copy_(torch.where(std > MIN_STD, std, 1))
        labels = images.labels[self.chosen].to(self.device)
        self.examples = (features - self.mean) / self.std, labels

    def _data(self) -> LabeledImages:
        data = datamodule_of(self.trainer)
        if not isinstance(data, LabeledImages):
            raise InputError("LinearProbe needs labeled images: use --data fractalgan.ImageData")
        require_classes(data, "LinearProbe needs")
        return data

    def _train_images(self) -> ImageCollection:
        images = self._data().train_images
        assert images is not None  # set up before the task
        return images

    def _check_max_steps(self) -> None:
        count = len(self.hparams["penalties"])
        if self.trainer.max_steps != count:
            raise InputError(
                f"the probe tries {count} L2 penalties, one per step: set --trainer.max_steps {count}"
            )

    # -- steps ----------------------------------------------------------------------------------

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            self.head.parameters(),
            max_iter=MAX_ITERATIONS,
            tolerance_grad=TOLERANCE_GRAD,
            tolerance_change=TOLERANCE_CHANGE,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

    def training_step(self, batch: Any, batch_idx: int) -> None:
        assert self.examples is not None
        features, labels = self.examples
        penalty = self.hparams["penalties"][self.global_step]
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        optimizer.state.clear()  # its curvature is that of another penalty

        def objective() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(self.head(features), labels)
            self.require_finite("the loss", loss)
            self.manual_backward(loss + penalty / 2 * self.head.weight.square().sum())
            return loss

        optimizer.step(objective)
        with torch.no_grad():
            self.log("train/loss", F.cross_entropy(self.head(features), labels))
        self.log("train/penalty", penalty)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        self._evaluate(self(images), labels, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        self._evaluate(self(images), labels, "test")


def labeled_indices(labels: Tensor, per_class: int | None, random: torch.Generator) -> Tensor:
    """The indices of the images whose labels are used: so many per class, drawn at random, or all.

    Raises InputError for a class that has fewer.
    """
    if per_class is None:
        return torch.arange(len(labels))
    order = torch.randperm(len(labels), generator=random)
    chosen = [order[labels[order] == label][:per_class] for label in torch.unique(labels)]
    fewest = min(map(len, chosen))
    if fewest < per_class:
        raise InputError(
            f"labels_per_class must be <= {fewest}, the size of the smallest class, got {per_class}"
        )
    return torch.cat(chosen)
