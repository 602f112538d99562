"""What tasks have in common whose predicted classes are compared with those of real images."""

from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from fractalgan.tasks.task import Task


class AccuracyTask(Task):
    """A task that logs its accuracy, and whose best checkpoint has the lowest error on the validation images.

    Attributes:
        accuracy: of all images of a validation or test.
    """

    monitor = "val/error"
    accuracy: MulticlassAccuracy

    def _evaluate(self, predicted: Tensor, classes: Tensor, stage: str) -> None:
        """Add the predictions [B, classes] of a batch with these classes [B]."""
        self.accuracy(predicted, classes)
        self.log(f"{stage}/accuracy", self.accuracy, on_step=False, on_epoch=True)

    def on_validation_epoch_end(self) -> None:
        self.log("val/error", 1 - self.accuracy.compute(), sync_dist=True)
