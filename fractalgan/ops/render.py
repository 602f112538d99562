"""The public op: maps and index sequences -> images, differentiable in the maps."""

import torch
from torch import Tensor

from fractalgan.ops.affine import Transforms, fixed_point
from fractalgan.ops.chaos import iterate_points
from fractalgan.ops.splat import splat_separable, to_pixels


def render(
    transforms: Transforms,  # A [J, N, 2, 2], b [J, N, 2]
    fractals: Tensor,  # [B] in 0..J-1
    sequences: Tensor,  # [B, T] in 0..N-1
    *,
    size: tuple[int, int],
    window: float,
    tau: float = 1.0,
    start: Tensor | None = None,  # [B, 2]
) -> Tensor:  # [B, H, W] in [0, 1]
    """Draw image i as fractal ``fractals[i]`` along ``sequences[i]``: Eqs. 3 and 8, then min(I, 1).

    ``window`` is the half side, in the plane's units, of the square that is drawn; ``tau`` is in
    pixels squared; ``start`` is v(0), by default :func:`start_points`. The gradient reaches A and b
    through every point that a pixel can see.
    Raises ValueError for shapes that do not fit, an empty image, or a window or tau not above 0.
    """
    _check(transforms, fractals, sequences, size, window, tau)
    with torch.autocast(transforms.A.device.type, enabled=False):  # 300 steps need all digits
        start = start_points(transforms, fractals) if start is None else start
        points = iterate_points(transforms, fractals, sequences, start)
        return splat_separable(to_pixels(points, size, window), size, tau).clamp_max(1)


def start_points(transforms: Transforms, fractals: Tensor) -> Tensor:
    """v(0) [B, 2]: the fixed point of each fractal's first map (Anderson & Farrell), without gradient."""
    first = fixed_point(transforms.A[:, 0].detach(), transforms.b[:, 0].detach())
    return first[fractals]


def _check(
    transforms: Transforms,
    fractals: Tensor,
    sequences: Tensor,
    size: tuple[int, int],
    window: float,
    tau: float,
) -> None:
    A, b = transforms
    if A.ndim != 4 or A.shape[2:] != (2, 2) or b.shape != A.shape[:3]:
        raise ValueError(f"want A [J, N, 2, 2] and b [J, N, 2], got {list(A.shape)} and {list(b.shape)}")
    if fractals.ndim != 1 or sequences.ndim != 2 or len(fractals) != len(sequences):
        raise ValueError(
            f"want fractals [B] and sequences [B, T], got {list(fractals.shape)} and {list(sequences.shape)}"
        )
    if min(size) < 1:
        raise ValueError(f"want an image of at least 1 x 1 pixels, got {size[0]} x {size[1]}")
    if not (window > 0 and tau > 0):
        raise ValueError(f"want window > 0 and tau > 0, got window={window} and tau={tau}")
