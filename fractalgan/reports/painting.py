"""From layers of fractals to pictures: color maps, backgrounds, grids."""

import difflib
import math
from typing import NamedTuple

import matplotlib
import torch
from PIL import Image, ImageColor
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan.errors import InputError
from fractalgan.ops import Layer

COLORMAPS = {0: "magma", 1: "gray"}  # by default, of fractals without features and of those with gray levels
TRANSPARENT = "transparent"
GAP, GAP_COLOR = 1 / 64, (64, 64, 64)  # between the pictures of a grid, as a share of their width


class Paint(NamedTuple):
    """The colors of pictures.

    Args:
        colormap: a color map of matplotlib, for fractals without colors; None for ``magma``, or ``gray`` for
            those with gray levels.
        background: a color as CSS names it, such as ``white`` or ``#204060``, or ``transparent``; None for
            the learned one, or for fractals without features the first color of the color map.
    """

    colormap: str | None = None
    background: str | None = None

    def check(self, num_features: int) -> None:
        """Raise InputError for a color map or color that does not exist, or has no effect."""
        if self.colormap is not None and num_features > 1:
            raise InputError("colormap has no effect on fractals in color: leave it out")
        if self.colormap is not None and self.colormap not in matplotlib.colormaps:
            near = difflib.get_close_matches(self.colormap, matplotlib.colormaps, n=1)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else "use magma, viridis, gray, or another one of matplotlib"
            )
            raise InputError(f"colormap {self.colormap!r} does not exist: {hint}")
        if self.background not in (None, TRANSPARENT):
            try:
                ImageColor.getrgb(str(self.background))
            except ValueError as error:
                raise InputError(
                    f"background must be {TRANSPARENT} or a color such as white or '#204060',"
                    f" got {self.background!r}"
                ) from error

    def picture(self, layer: Layer, learned: Tensor) -> Image.Image:
        """A picture in RGB, or in RGBA for a transparent background.

        Args:
            layer: colors [K, H, W], times alpha, and alpha [H, W].
            learned: the background [K] of the fractal.
        """
        premultiplied, alpha = layer
        values = (
            premultiplied / alpha.clamp_min(torch.finfo(alpha.dtype).tiny) if len(learned) else alpha[None]
        )
        colors = self._rgb(values.clamp(0, 1), len(learned))
        if self.background == TRANSPARENT:
            return _to_pil(torch.cat([colors, alpha[None]]))
        if self.background is not None:
            red, green, blue, *_ = ImageColor.getrgb(self.background)
            behind = torch.tensor([red, green, blue])[:, None, None] / 255
        elif len(learned):
            behind = self._rgb(learned.cpu()[:, None, None], len(learned))
        else:
            return _to_pil(colors)
        return _to_pil(alpha * colors + (1 - alpha) * behind)

    def _rgb(self, values: Tensor, num_features: int) -> Tensor:
        """Colors [3, H, W] of gray levels [1, H, W], by the color map; colors [3, H, W] stay as they are."""
        if num_features > 1:
            return values
        colormap = matplotlib.colormaps[self.colormap or COLORMAPS[num_features]]
        return torch.from_numpy(colormap(values[0].numpy())[..., :3]).permute(2, 0, 1).float()


def _to_pil(channels: Tensor) -> Image.Image:
    picture: Image.Image = to_pil_image(channels)
    return picture


def cell_size(size: int, count: int) -> int:
    """The width of each of ``count`` square pictures in a grid of this width, in pixels."""
    columns = math.ceil(math.sqrt(count))
    gap = max(1, round(GAP * size / columns))
    return max(1, (size - (columns - 1) * gap) // columns)


def picture_grid(pictures: list[Image.Image], size: int) -> Image.Image:
    """Square pictures in rows, as many rows as columns where the number allows it.

    Args:
        pictures: of equal mode, and of the width :func:`cell_size`.
        size: the width of the grid, in pixels. Pixels that are left over widen some of the gaps.
    """
    columns, cell = math.ceil(math.sqrt(len(pictures))), pictures[0].width
    places = [round(column * (size - cell) / max(1, columns - 1)) for column in range(columns)]
    height = places[math.ceil(len(pictures) / columns) - 1] + cell
    color = (*GAP_COLOR, 0) if pictures[0].mode == "RGBA" else GAP_COLOR
    grid = Image.new(pictures[0].mode, (size, height), color)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        grid.paste(picture, (places[column], places[row]))
    return grid
