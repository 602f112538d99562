"""LeNet: 84 features of a small grey image, and a head of any width."""

import torch
from torch import Tensor, nn


class LeNet(nn.Module):
    """LeNet-5 (LeCun et al. 1998) with max pooling and ReLU; 61,706 parameters at 32 x 32 and 10 outputs.

    Args:
        outputs: width of the head: 1 for a binary discriminator, the classes of a classifier.
        image_size: H = W, in pixels, 16 or more.
        channels: of the input.
    """

    num_features = 84

    def __init__(self, outputs: int, image_size: int = 32, channels: int = 1) -> None:
        super().__init__()
        if image_size < 16:
            raise ValueError(f"LeNet needs images of 16 x 16 pixels or more, got {image_size}")
        side = ((image_size - 4) // 2 - 4) // 2
        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(6, 16, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * side * side, 120),
            nn.ReLU(),
            nn.Linear(120, self.num_features),
            nn.ReLU(),
        )
        self.head = nn.Linear(self.num_features, outputs)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] -> [B, outputs]."""
        logits: Tensor = self.head(self.embed(images))
        return logits

    def embed(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] -> the features [B, 84] that the head sees."""
        # half the time of planes on a CPU; `contiguous` would leave one channel's strides as they are
        features: Tensor = self.features(images.clone(memory_format=torch.channels_last))
        return features
