"""ConvNet: the network that work on data set distillation trains."""

from torch import nn

from fractalgan.errors import InputError
from fractalgan.nn.network import Network

BLOCKS = 3
MIN_IMAGE_SIZE = 2**BLOCKS  # pixels per side: less leaves nothing after three poolings


class ConvNet(Network):
    """Three blocks of convolution, instance norm, ReLU and average pooling, then a linear head.

    Work on data set distillation compares images by it (Zhao et al., ICLR 2021), at a width of 128: 317,706
    parameters at 32 x 32 with one channel and 10 outputs; 24,138 at a width of 32.

    Args:
        outputs: width of the head: the number of classes.
        image_size: H = W, in pixels, at least 8.
        channels: channels of the input.
        width: channels of each block.

    Attributes:
        num_features: number of features that the head sees: ``width * (image_size // 8) ** 2``.

    Raises:
        InputError: for smaller images.
    """

    def __init__(self, outputs: int, image_size: int = 32, channels: int = 1, width: int = 128) -> None:
        super().__init__()
        if image_size < MIN_IMAGE_SIZE:
            raise InputError(f"image_size must be >= {MIN_IMAGE_SIZE} for a ConvNet, got {image_size}")
        side = image_size // 2**BLOCKS
        self.width = width
        self.num_features = width * side * side
        blocks = [_block(channels if number == 0 else width, width) for number in range(BLOCKS)]
        self.features = nn.Sequential(*blocks, nn.Flatten())
        self.head = nn.Linear(self.num_features, outputs)

    @property
    def title(self) -> str:
        return f"ConvNet of width {self.width}"


def _block(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.GroupNorm(width, width),  # a group per channel: instance norm
        nn.ReLU(),
        nn.AvgPool2d(2),
    )
