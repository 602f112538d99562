"""Two photographs in color that come with scikit-learn, for a first reconstruction without a download."""

import torch
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import center_crop, resize


def photographs(size: int) -> Tensor:
    """A Chinese temple and a flower, [2, 3, size, size] uint8: the middle square of each."""
    images = load_sample_images().images
    squares = [center_crop(torch.tensor(each).permute(2, 0, 1), [min(each.shape[:2])] * 2) for each in images]
    return torch.stack(
        [resize(each, [size, size], InterpolationMode.BICUBIC, antialias=True) for each in squares]
    )
