"""The discriminators of a GAN: a LeNet alone, and LeNets that see or name the class of an image."""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fractalgan.nn.lenet import LeNet

Conditional = Literal["projection", "auxiliary"]


class Verdict(NamedTuple):
    """What a discriminator makes of images."""

    logits: Tensor  # [B], high for images that look real
    class_loss: Tensor  # [B], the cross-entropy of the classes that it names; 0 if it names none


class Discriminator(LeNet):
    """A LeNet that tells real from drawn images, whatever their class.

    Args:
        image_size: H = W, in pixels, at least 16.
        channels: channels of the images.

    Raises:
        InputError: for smaller images.
    """

    def __init__(self, image_size: int = 32, channels: int = 1) -> None:
        super().__init__(1, image_size, channels)

    def judge(self, images: Tensor, labels: Tensor) -> Verdict:
        """Which images look real, for their class if the discriminator sees it.

        Args:
            images: [B, C, H, W].
            labels: the class of each image [B] int64; not used here.
        """
        logits = self(images).squeeze(1)
        return Verdict(logits, torch.zeros_like(logits))


class ClassDiscriminator(Discriminator):
    """A discriminator with a score for each class, a linear function of the features of the LeNet.

    Args:
        num_classes: number of classes.
        image_size: as for :class:`Discriminator`.
        channels: as for :class:`Discriminator`.
        bias: whether scores have a bias.
    """

    def __init__(self, num_classes: int, image_size: int = 32, channels: int = 1, bias: bool = True) -> None:
        super().__init__(image_size, channels)
        self.classes = nn.Linear(self.num_features, num_classes, bias)

    def _logits_and_scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B] of the binary head, and the scores [B, num_classes]."""
        features = self.embed(images)
        return self.head(features).squeeze(1), self.classes(features)


class ProjectionDiscriminator(ClassDiscriminator):
    """Adds the inner product of the features and an embedding of the class to the logit.

    The embeddings are the rows of ``classes.weight``. See Miyato & Koyama, "cGANs with Projection
    Discriminator", ICLR 2018.

    Args:
        num_classes: number of classes.
        image_size: as for :class:`Discriminator`.
        channels: as for :class:`Discriminator`.
    """

    def __init__(self, num_classes: int, image_size: int = 32, channels: int = 1) -> None:
        super().__init__(num_classes, image_size, channels, bias=False)

    def judge(self, images: Tensor, labels: Tensor) -> Verdict:
        logits, scores = self._logits_and_scores(images)
        of_label = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
        return Verdict(logits + of_label, torch.zeros_like(logits))


class AuxiliaryDiscriminator(ClassDiscriminator):
    """Names the class of an image by a second head.

    See Odena, Olah & Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", ICML 2017.
    """

    def judge(self, images: Tensor, labels: Tensor) -> Verdict:
        logits, scores = self._logits_and_scores(images)
        return Verdict(logits, F.cross_entropy(scores, labels, reduction="none"))


DISCRIMINATORS: dict[Conditional, type[ClassDiscriminator]] = {
    "projection": ProjectionDiscriminator,
    "auxiliary": AuxiliaryDiscriminator,
}


def make_discriminator(
    conditional: Conditional | None, num_classes: int, image_size: int, channels: int
) -> Discriminator:
    """The discriminator for images with labels, or for any images.

    Args:
        conditional: how it uses labels; None stands for not at all.
        num_classes: number of classes; 0, while it is not known, stands for no labels.
        image_size: H = W, in pixels.
        channels: channels of the images.
    """
    if conditional is None or num_classes == 0:
        return Discriminator(image_size, channels)
    return DISCRIMINATORS[conditional](num_classes, image_size, channels)
