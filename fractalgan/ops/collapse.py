"""Collapsed fractals: those that draw a dot, a line, or nothing inside the window."""

from typing import NamedTuple

import torch
from torch import Tensor

# "Almost all" of a fractal's points; the rest are the way from v(0) to the attractor, and strays.
ALMOST_ALL = 0.95


class Collapse(NamedTuple):
    """How each fractal has collapsed, [J] bool each; a fractal is counted in one of them at most."""

    outside: Tensor
    dot: Tensor
    line: Tensor

    @property
    def any(self) -> Tensor:
        """[J] bool: collapsed in one way or another."""
        return self.outside | self.dot | self.line


def collapse(points: Tensor, size: tuple[int, int]) -> Collapse:
    """Judge each fractal by its points [J, T, 2] in pixels, on an image of size H x W.

    A fractal has collapsed where almost all (95 %) of its points lie outside the image; or, of those
    inside, within a pixel around one place (a dot) or within half a pixel of one straight line.
    """
    last = torch.tensor(size, device=points.device, dtype=points.dtype) - 1
    inside = ((points >= -0.5) & (points <= last + 0.5)).all(-1)  # [J, T]; NaN counts as outside
    outside = inside.float().mean(-1) <= 1 - ALMOST_ALL

    centre = torch.where(inside.unsqueeze(-1), points, torch.nan).nanmedian(1, keepdim=True).values
    offsets = torch.where(inside.unsqueeze(-1), points - centre, 0.0).nan_to_num(0.0)
    dot = _share(offsets.norm(dim=-1) <= 1, inside) >= ALMOST_ALL

    # the strays outside the dense part would tilt the axis, so it is fitted to the nearer ones alone
    reach = torch.where(inside, offsets.norm(dim=-1), torch.nan).nanquantile(ALMOST_ALL, dim=-1, keepdim=True)
    near = inside & (offsets.norm(dim=-1) <= reach)
    across = _normal(offsets, near)
    middle = (offsets * near.unsqueeze(-1)).sum(1, keepdim=True) / near.sum(-1).clamp_min(1)[:, None, None]
    distance = ((offsets - middle) * across.unsqueeze(1)).sum(-1).abs()
    line = _share(distance <= 0.5, inside) >= ALMOST_ALL
    return Collapse(outside, dot & ~outside, line & ~dot & ~outside)


def _share(selected: Tensor, inside: Tensor) -> Tensor:
    """The share [J] of the points inside that are selected."""
    return (selected & inside).sum(-1) / inside.sum(-1).clamp_min(1)


def _normal(offsets: Tensor, weights: Tensor) -> Tensor:
    """Unit vectors [J, 2] along which the selected offsets [J, T, 2] vary least."""
    weights = weights.to(offsets.dtype).unsqueeze(-1)
    total = weights.sum(1, keepdim=True).clamp_min(1)
    centred = (offsets - (offsets * weights).sum(1, keepdim=True) / total) * weights
    eigenvectors: Tensor = torch.linalg.eigh(centred.transpose(-1, -2) @ centred).eigenvectors
    return eigenvectors[..., 0]
