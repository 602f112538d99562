"""What networks that classify images have in common: features, and a linear head."""

from torch import Tensor, nn


class Network(nn.Module):
    """A network whose logits are a linear layer on its features.

    Attributes:
        features: images [B, C, H, W] -> features [B, num_features].
        head: features -> logits [B, outputs].
        num_features: number of features.
        any_channels: whether it takes images in grayscale as well as in color.
        may_be_random: whether layers, such as dropout, may draw random numbers in training.
    """

    any_channels: bool = False
    may_be_random: bool = False
    features: nn.Module
    head: nn.Linear
    num_features: int

    @property
    def title(self) -> str:
        """Its name for people: "LeNet"."""
        return type(self).__name__

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] -> [B, outputs]."""
        logits: Tensor = self.head(self.embed(images))
        return logits

    def embed(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] -> the features [B, num_features] that the head sees."""
        features: Tensor = self.features(images)
        return features
