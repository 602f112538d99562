"""Images in one picture."""

from torch import Tensor
from torchvision.utils import make_grid

COLUMNS = 10  # of a grid; a grid of 100 images has as many rows
MIN_WIDTH = 256  # of a grid, in pixels
GAP_LEVEL = 0.25  # grey level of the lines between images


def grid(images: Tensor) -> Tensor:
    """Arrange images in rows of ten.

    Args:
        images: [B, C, H, W] in [0, 1].

    Returns:
        One picture [3, H', W'], with every pixel enlarged to 2 x 2 or more.
    """
    zoom = max(2, MIN_WIDTH // (min(len(images), COLUMNS) * images.shape[-1]))
    large = images.detach().cpu().float().repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
    picture: Tensor = make_grid(large, nrow=COLUMNS, padding=2, pad_value=GAP_LEVEL)
    return picture.clamp(0, 1)
