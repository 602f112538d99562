"""Detection of collapsed fractals: those that draw a dot, a line, or nothing inside the window."""

from typing import NamedTuple

import torch
from torch import Tensor

# The share of points that decides. The others are the way from v(0) to the attractor, and outliers.
COLLAPSE_SHARE = 0.95


class Collapse(NamedTuple):
    """The kind of collapse of J fractals: bool ``[J]`` each, of which at most one is true for a fractal."""

    outside: Tensor
    dot: Tensor
    line: Tensor

    @property
    def any(self) -> Tensor:
        """Whether a fractal has collapsed in any way: bool ``[J]``."""
        return self.outside | self.dot | self.line


def collapse(points: Tensor, size: tuple[int, int]) -> Collapse:
    """Decide for each of J fractals, from its points, whether it has collapsed.

    A fractal has collapsed if 95 % of its points lie outside the image (``outside``), or if 95 % of the
    points inside lie within one pixel of their median (``dot``) or within half a pixel of a straight
    line (``line``).

    Args:
        points: points ``[J, T, 2]`` in pixels; see :func:`to_pixels`. NaN counts as outside.
        size: height and width of the image in pixels.

    Returns:
        The kind of collapse of each fractal.
    """
    last = torch.tensor(size, device=points.device, dtype=points.dtype) - 1
    inside = ((points >= -0.5) & (points <= last + 0.5)).all(-1)  # [J, T]
    outside = inside.float().mean(-1) <= 1 - COLLAPSE_SHARE

    center = torch.where(inside.unsqueeze(-1), points, torch.nan).nanmedian(1, keepdim=True).values
    offsets = torch.where(inside.unsqueeze(-1), points - center, 0.0).nan_to_num(0.0)
    radius = offsets.norm(dim=-1)
    dot = _share(radius <= 1, inside) >= COLLAPSE_SHARE

    # outliers would tilt the line, so it is fitted to the points that are nearest to the center
    reach = torch.where(inside, radius, torch.nan).nanquantile(COLLAPSE_SHARE, dim=-1, keepdim=True)
    near = inside & (radius <= reach)
    normal = _normal(offsets, near)
    middle = (offsets * near.unsqueeze(-1)).sum(1, keepdim=True) / near.sum(-1).clamp_min(1)[:, None, None]
    distance = ((offsets - middle) * normal.unsqueeze(1)).sum(-1).abs()
    line = _share(distance <= 0.5, inside) >= COLLAPSE_SHARE
    return Collapse(outside, dot & ~outside, line & ~dot & ~outside)


def _share(selected: Tensor, inside: Tensor) -> Tensor:
    """The share ``[J]`` of the points inside that are selected."""
    return (selected & inside).sum(-1) / inside.sum(-1).clamp_min(1)


def _normal(offsets: Tensor, selected: Tensor) -> Tensor:
    """Unit vectors ``[J, 2]`` along which the selected offsets ``[J, T, 2]`` vary least."""
    weights = selected.to(offsets.dtype).unsqueeze(-1)
    total = weights.sum(1, keepdim=True).clamp_min(1)
    centered = (offsets - (offsets * weights).sum(1, keepdim=True) / total) * weights
    eigenvectors: Tensor = torch.linalg.eigh(centered.transpose(-1, -2) @ centered).eigenvectors
    return eigenvectors[..., 0]
