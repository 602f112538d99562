"""LinearProbe: what the features of a pre-trained LeNet are worth on real images."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.checkpoint_file import blame_checkpoint, part_of_state, read_checkpoint
from fractalgan.errors import InputError, blame_input, require_above, require_at_least
from fractalgan.nn import LeNet
from fractalgan.randomness import generator_for
from fractalgan.tasks.task import Task

UNTRAINED, PIXELS = "untrained", "pixels"

LABELS = 300  # what these random numbers are for: the last word of their key

CHUNK = 1000  # images at a time

# Where L-BFGS stops. Three times the iterations moved the accuracy on Fashion-MNIST by less than 0.001.
ITERATIONS, LEAST_GRADIENT, LEAST_CHANGE = 100, 1e-5, 1e-7


class LinearProbe(Task):
    """One linear layer on the frozen, standardised features of a backbone: multinomial regression.

    Each step fits the layer anew to all training images, by L-BFGS, under the next of ``penalties``;
    the best checkpoint is that of the penalty with the least error on the validation images. The
    features are computed once, and standardised by the training images' mean and deviation.

    Args:
        backbone: a checkpoint of Pretraining; or, for reference, ``untrained`` for a LeNet as it was drawn
            at random, ``pixels`` for no network at all.
        labels_per_class: how many images of each class have a label; null: all.
        penalties: weights of half the squared norm of the layer, the largest first: each fit begins
            where the one before it ended.
        num_classes: of the images; null: follows the data.
        image_size: height and width in pixels; follows the data.
        seed: of all random numbers; follows --seed_everything.
    """

    monitor = "val/error"  # the lowest is the best checkpoint
    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        backbone: str = UNTRAINED,
        labels_per_class: int | None = None,
        penalties: list[float] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6],  # noqa: B006
        num_classes: int | None = None,
        image_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_at_least(1, labels_per_class=labels_per_class or 1, penalties=len(penalties))
        require_above(0, **{f"penalties[{k}]": each for k, each in enumerate(penalties)})
        self.save_hyperparameters()
        self.automatic_optimization = False
        with blame_input():
            self.network = LeNet(outputs=1, image_size=image_size).requires_grad_(False)
        self.num_features = image_size**2 if backbone == PIXELS else LeNet.num_features
        self.register_buffer("mean", torch.zeros(self.num_features))
        self.register_buffer("deviation", torch.ones(self.num_features))
        self.head = nn.Linear(self.num_features, num_classes or 1)  # as wide as the data, once seen
        self.has_backbone = backbone in (UNTRAINED, PIXELS)
        self.chosen = torch.arange(0)  # indices of the training images that have a label
        self.examples: tuple[Tensor, Tensor] | None = None  # features and labels of the training images

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, classes] of images [B, 1, H, W]."""
        logits: Tensor = self.head((self._features(images) - self.mean) / self.deviation)
        return logits

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        return images.flatten(1) if self.hparams["backbone"] == PIXELS else self.network.embed(images)

    # -- before the first step ------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if len(getattr(data, "classes", [])) < 2:
            raise InputError(f"{data.source} has no labels of two classes, which a linear probe learns from")
        if stage == "fit":
            self._expect_steps()
            self.chosen = self._labelled(data.train_images.labels)
            self.hparams["num_classes"] = len(data.classes)
            self.head = nn.Linear(self.num_features, len(data.classes))
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
        elif self.hparams["num_classes"] is None:
            raise InputError("there is no probe to judge yet: give its checkpoint as --ckpt_path")
        elif self.hparams["num_classes"] != len(data.classes):
            raise InputError(
                f"{data.source} has {len(data.classes)} classes,"
                f" the probe learned {self.hparams['num_classes']}"
            )
        self.accuracy = MulticlassAccuracy(len(data.classes), average="micro")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.has_backbone = True  # the checkpoint's: the file that it came from may be gone

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if not self.has_backbone:
            self._load_backbone(Path(self.hparams["backbone"]))

    def _expect_steps(self) -> None:
        count = len(self.hparams["penalties"])
        if self.trainer.max_steps != count:
            raise InputError(f"one step is one penalty: give --trainer.max_steps {count}")

    def _load_backbone(self, path: Path) -> None:
        checkpoint = read_checkpoint(path)
        if checkpoint["task"] != "Pretraining":
            raise InputError(
                f"{path} is a checkpoint of {checkpoint['task']}: a probe judges one of Pretraining"
            )
        with blame_checkpoint(path):
            size = checkpoint["hyper_parameters"]["image_size"]
            if size != self.hparams["image_size"]:
                raise InputError(f"{path} was trained on images of {size} pixels: give --data.size {size}")
            self.network.features.load_state_dict(part_of_state(checkpoint, "network.features."))

    def on_train_start(self) -> None:
        images = self.trainer.datamodule.train_images  # type: ignore[attr-defined]
        chunks = (images[part][0].to(self.device) for part in torch.split(self.chosen, CHUNK))
        features = torch.cat([self._features(chunk) for chunk in chunks])
        self.mean.copy_(features.mean(0))
        spread = features.std(0)
        self.deviation.copy_(torch.where(spread > 1e-6, spread, 1))  # one that never varies gets no weight
        labels = images.labels[self.chosen].to(self.device)
        self.examples = (features - self.mean) / self.deviation, labels

    def _labelled(self, labels: Tensor) -> Tensor:
        """The indices of the images that have a label: so many a class, drawn at random, or all."""
        count = self.hparams["labels_per_class"]
        if count is None:
            return torch.arange(len(labels))
        order = torch.randperm(len(labels), generator=generator_for(self.hparams["seed"], LABELS))
        chosen = [order[labels[order] == label][:count] for label in torch.unique(labels)]
        least = min(map(len, chosen))
        if least < count:
            raise InputError(f"labels_per_class: a class has {least} images for training, not {count}")
        return torch.cat(chosen)

    # -- steps ----------------------------------------------------------------------------------

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            self.head.parameters(),
            max_iter=ITERATIONS,
            tolerance_grad=LEAST_GRADIENT,
            tolerance_change=LEAST_CHANGE,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

    def training_step(self, batch: Any, batch_idx: int) -> None:
        assert self.examples is not None
        features, labels = self.examples
        penalty = self.hparams["penalties"][self.global_step]
        optimizer = self.optimizers()
        optimizer.state.clear()  # type: ignore[union-attr]  # what it knows is of another penalty

        def objective() -> Tensor:
            optimizer.zero_grad()  # type: ignore[union-attr]
            loss = F.cross_entropy(self.head(features), labels)
            self.require_finite("the loss", loss)
            self.manual_backward(loss + penalty / 2 * self.head.weight.square().sum())
            return loss

        optimizer.step(objective)  # type: ignore[union-attr]
        with torch.no_grad():
            self.log("train/loss", F.cross_entropy(self.head(features), labels))
        self.log("train/penalty", penalty)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: tuple[Tensor, Tensor], stage: str) -> None:
        images, labels = batch
        self.accuracy(self(images), labels)
        self.log(f"{stage}/accuracy", self.accuracy, on_step=False, on_epoch=True)

    def on_validation_epoch_end(self) -> None:
        self.log("val/error", 1 - self.accuracy.compute(), sync_dist=True)
