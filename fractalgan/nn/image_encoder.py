"""A convolutional network that turns images into fractals."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fractalgan.ops import Transforms, contractions

GROUPS = 8  # of channels, for group normalization
HIDDEN = 512  # features before the last layer
MAX_FACTOR = 4  # of channels in the last stages over the first
GRID = 4  # pixels per side that stages stop at
SIGMA_MAX = 0.95  # bound of the singular values of A
INITIAL_SCALE, INITIAL_RADII = 0.4, (0.48, 0.24)  # of the first fractal: small copies on two circles


class ImageEncoder(nn.Module):
    """A residual network that predicts the transforms of a fractal from an image.

    The fractal of an image does not depend on the other images of a batch, since features are normalized
    within groups of channels (Wu & He, ECCV 2018). Every matrix is a contraction: a predicted matrix M
    becomes A = M / sqrt(1 + (s(M) / 0.95)^2), where s(M) is its largest singular value. Before training, the
    network predicts much the same fractal for every image, small copies of itself on two circles.

    Args:
        num_transforms: number of affine transforms per fractal (N).
        image_size: H = W, in pixels.
        window: half the side length of the square region of the plane that images show.
        width: channels of the first stage, a multiple of 8.
    """

    def __init__(
        self, num_transforms: int = 10, image_size: int = 32, window: float = 2.5, width: int = 32
    ) -> None:
        super().__init__()
        stages = max(1, math.ceil(math.log2(image_size / GRID)))
        channels = [1, *(width * min(2**stage, MAX_FACTOR) for stage in range(stages))]
        self.stages = nn.Sequential(
            *(Stage(*pair) for pair in pairwise(channels)),
            nn.AdaptiveAvgPool2d(GRID),
        )
        self.hidden = nn.Linear(channels[-1] * GRID**2, HIDDEN)
        self.transforms = nn.Linear(HIDDEN, 6 * num_transforms)
        self._initialize(window)

    @torch.no_grad()
    def _initialize(self, window: float) -> None:
        """Begin at one fractal whose parts lie apart, so that each can move to a part of the image."""
        self.transforms.weight *= 0.3
        bias = self.transforms.bias.view(-1, 6).zero_()
        place = torch.arange(len(bias))
        angle = 2 * math.pi * place / len(bias)
        radius = window * torch.tensor(INITIAL_RADII)[place % 2]
        bias[:, 0] = bias[:, 3] = INITIAL_SCALE
        bias[:, 4], bias[:, 5] = radius * angle.cos(), radius * angle.sin()

    def forward(self, images: Tensor) -> Transforms:
        """Transforms A [B, N, 2, 2] and b [B, N, 2] of images [B, 1, H, W]."""
        features = F.relu(self.hidden(self.stages(images).flatten(1)))
        with torch.autocast(images.device.type, enabled=False):  # positions need full precision
            numbers = self.transforms(features.to(self.transforms.weight.dtype)).unflatten(1, (-1, 6))
            M = numbers[..., :4].reshape(*numbers.shape[:2], 2, 2)
            shrinkage = (1 + (contractions(M) / SIGMA_MAX) ** 2).sqrt()
            return Transforms(M / shrinkage[..., None, None], numbers[..., 4:].contiguous())


class Stage(nn.Module):
    """Halves the size of feature maps, and adds a residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.reduce = _convolution(inputs, outputs, stride=2)
        self.residual = nn.Sequential(
            _convolution(outputs, outputs), nn.ReLU(), _convolution(outputs, outputs)
        )

    def forward(self, features: Tensor) -> Tensor:
        """[B, outputs, H / 2, W / 2] from [B, inputs, H, W]."""
        reduced = F.relu(self.reduce(features))
        return F.relu(reduced + self.residual(reduced))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(GROUPS, outputs))
