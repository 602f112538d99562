"""LeNet: 84 features of a small image, and a head of any width."""

import torch
from torch import Tensor, nn

from fractalgan.errors import InputError
from fractalgan.nn.network import Network

MIN_IMAGE_SIZE = 16  # pixels per side: less leaves nothing after two convolutions and poolings


class LeNet(Network):
    """LeNet-5 (LeCun et al. 1998) with max pooling and ReLU; 61,706 parameters at 32 x 32 and 10 outputs.

    Args:
        outputs: width of the head: 1 for a binary discriminator, the number of classes for a classifier.
        image_size: H = W, in pixels, at least 16.
        channels: channels of the input.

    Raises:
        InputError: for smaller images.
    """

    num_features = 84

    def __init__(self, outputs: int, image_size: int = 32, channels: int = 1) -> None:
        super().__init__()
        require_lenet_size(image_size)
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

    def embed(self, images: Tensor) -> Tensor:
        # takes half the time on a CPU; `contiguous` would keep the strides of a single channel
        return super().embed(images.clone(memory_format=torch.channels_last))


def require_lenet_size(image_size: int) -> None:
    """Raise InputError for images that are too small for a LeNet."""
    if image_size < MIN_IMAGE_SIZE:
        raise InputError(f"image_size must be >= {MIN_IMAGE_SIZE} for a LeNet, got {image_size}")
