"""Gray levels and colors as flam3 has them: one coordinate per transform into a palette of 256 colors."""

from collections.abc import Sequence

import torch
from torch import Tensor

SIZE = 256  # colors in a palette
LUMINANCE = torch.tensor([0.299, 0.587, 0.114])  # of red, green and blue (ITU-R BT.601)
BYTE = 255


def gray_palette(values: Tensor) -> tuple[Tensor, Tensor]:
    """A ramp from black to white, in which a gray level keeps all its digits.

    Args:
        values: gray levels, [N] in [0, 1].

    Returns:
        The palette, bytes [256, 3], and the color coordinate of each transform, [N].
    """
    ramp = torch.arange(SIZE).unsqueeze(-1).expand(SIZE, 3)
    return ramp, values.double() * (BYTE / SIZE)


def color_palette(values: Tensor) -> tuple[Tensor, Tensor]:
    """A palette through all colors, in the order of their luminance, evenly spaced, linear between them.

    Of more than 256 colors, 256 in that order are kept, and transforms have the nearest of them.

    Args:
        values: colors, [N, 3] in [0, 1].

    Returns:
        The palette, bytes [256, 3], and the color coordinate of each transform, [N].
    """
    colors = (values * BYTE).round().long()
    distinct = torch.unique(colors, dim=0)
    distinct = distinct[(distinct @ LUMINANCE.mul(1000).long()).argsort(stable=True)]
    if len(distinct) > SIZE:
        distinct = distinct[torch.linspace(0, len(distinct) - 1, SIZE).round().long()]
    entries = torch.linspace(0, SIZE - 1, len(distinct)).round() if len(distinct) > 1 else torch.zeros(1)
    nearest = torch.cdist(colors.float(), distinct.float()).argmin(1)
    return filled(entries.long().tolist(), distinct.double()).round().long(), entries[nearest].double() / SIZE


def filled(entries: Sequence[int], colors: Tensor) -> Tensor:
    """A palette [256, 3] with colors [M, 3] at ascending entries, linear between them."""
    if len(entries) == 1:
        return colors.expand(SIZE, 3)
    given = torch.tensor(entries, dtype=torch.float64)
    places = torch.arange(SIZE, dtype=torch.float64).clamp(entries[0], entries[-1])
    right = torch.searchsorted(given, places).clamp_min(1)
    left = right - 1
    share = ((places - given[left]) / (given[right] - given[left])).unsqueeze(-1)
    return (1 - share) * colors[left] + share * colors[right]


def looked_up(palette: Tensor, coordinates: Tensor, linear: bool) -> Tensor:
    """The colors [N, 3] at color coordinates [N] of a palette [256, 3], as flam3 looks them up.

    A coordinate c in [0, 1] is at entry 256 c: rounded down, or with ``palette_mode="linear"`` between two.
    """
    places = (coordinates.double() * SIZE).clamp(0, SIZE - 1)
    below = places.floor().long().clamp_max(SIZE - 2) if linear else places.floor().long()
    share = (places - below if linear else torch.zeros_like(places)).unsqueeze(-1)
    return (1 - share) * palette[below] + share * palette[(below + 1).clamp_max(SIZE - 1)]


def is_line_between(palette: Tensor, coordinates: Tensor) -> bool:
    """Whether a palette is linear between the least and the greatest of some color coordinates.

    Blending coordinates is then the same as blending colors, up to the rounding to bytes.
    """
    places = (coordinates.double() * SIZE).clamp(0, SIZE - 1)
    low, high = int(places.min().floor()), int(places.max().ceil())
    line = filled([0, max(high - low, 1)], palette[[low, high]].double())[: high - low + 1]
    return bool(((palette[low : high + 1] - line).abs() <= 1).all())
