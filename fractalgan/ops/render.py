"""The public op: maps and index sequences -> images, differentiable in the maps."""

from typing import Literal

import torch
from torch import Tensor

from fractalgan.ops import _fused
from fractalgan.ops.affine import Transforms, fixed_point
from fractalgan.ops.chaos import iterate_points
from fractalgan.ops.splat import splat_separable, to_pixels

Backend = Literal["numba", "triton", "torch"]

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
LEAST_TAU, LARGEST_TAU = 1e-4, 1e4  # pixels squared: a bump of a hundredth of a pixel, or of a hundred
LARGEST_WINDOW = 1e6  # times smaller or larger than the unit square


def render(
    transforms: Transforms,  # A [J, N, 2, 2], b [J, N, 2]
    fractals: Tensor,  # [B] in 0..J-1
    sequences: Tensor,  # [B, T] in 0..N-1
    *,
    size: tuple[int, int],
    window: float,
    tau: float = 1.0,
    start: Tensor | None = None,  # [B, 2]
    backend: Backend | None = None,
) -> Tensor:  # [B, H, W] in [0, 1]
    """Draw image i as fractal ``fractals[i]`` along ``sequences[i]``: Eqs. 3 and 8, then min(I, 1).

    ``window`` is the half side, in the plane's units, of the square that is drawn; ``tau`` is in
    pixels squared; ``start`` is v(0), by default :func:`start_points`. The gradient reaches A and b
    through every point that a pixel can see; points that are infinite or NaN draw nothing and pass
    nothing on.

    ``numba`` (CPU) and ``triton`` (CUDA) do all of it in one walk along the points, in float32, and
    cut a bump below 2^-23 of its peak; ``torch`` is the plain form, for any device and float64. By
    default the tensors choose: the fused one of their device for float32 and less, else ``torch``.

    Raises ValueError for shapes, types or devices that do not fit, and as :func:`check_view`; IndexError,
    on a CPU, for a fractal or a transform that does not exist (on a GPU the point is left out);
    RuntimeError where the backend asked for cannot be used.
    """
    _check(transforms, fractals, sequences, start)
    check_view(size, window, tau)
    fractals, sequences = fractals.long(), sequences.long()
    dtype = torch.promote_types(transforms.A.dtype, torch.float32)
    transforms = Transforms(transforms.A.to(dtype), transforms.b.to(dtype))
    start = start_points(transforms, fractals) if start is None else start.to(dtype)
    chosen = _choose(backend, transforms.A)
    with torch.autocast(transforms.A.device.type, enabled=False):  # 300 steps need all digits
        if chosen == "torch":
            plain: Tensor = _draw_in_torch(transforms, fractals, sequences, start, size, window, tau)
            return plain
        maps = torch.cat([transforms.A.flatten(-2), transforms.b], -1)
        images: Tensor = _fused.draw(maps, fractals, sequences, start, *size, window, tau, chosen)
        return images


def start_points(transforms: Transforms, fractals: Tensor) -> Tensor:
    """v(0) [B, 2]: the fixed point of each fractal's first map (Anderson & Farrell), without gradient."""
    first = fixed_point(transforms.A[:, 0].detach(), transforms.b[:, 0].detach())
    return first[fractals.long()]  # a uint8 tensor would be a mask


def check_view(size: tuple[int, int], window: float, tau: float) -> None:
    """Raise ValueError for an empty image, a window outside 1e-6..1e6, or a tau outside 1e-4..1e4."""
    if len(size) != 2 or not all(isinstance(length, int) and length >= 1 for length in size):
        raise ValueError(f"want a size (H, W) of at least 1 x 1 pixels, got {size}")
    if not 1 / LARGEST_WINDOW <= window <= LARGEST_WINDOW:
        raise ValueError(f"want window in {1 / LARGEST_WINDOW}..{LARGEST_WINDOW:.0f}, got {window}")
    if not LEAST_TAU <= tau <= LARGEST_TAU:
        raise ValueError(f"want tau in {LEAST_TAU}..{LARGEST_TAU:.0f} pixels squared, got {tau}")


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _draw_in_torch(
    transforms: Transforms,
    fractals: Tensor,
    sequences: Tensor,
    start: Tensor,
    size: tuple[int, int],
    window: float,
    tau: float,
) -> Tensor:
    """The plain form: a loop over the points of all images at once, and a matrix product an image."""
    _require_indices("sequences", sequences, transforms.b.shape[1])
    _require_indices("fractals", fractals, len(transforms.b))
    points = iterate_points(transforms, fractals, sequences, start)
    return splat_separable(to_pixels(points, size, window), size, tau).clamp_max(1)


def _require_indices(name: str, indices: Tensor, number: int) -> None:
    """Out of range, an index would find another fractal's map; looking would make a GPU wait."""
    if indices.device.type == "cpu" and not ((indices >= 0) & (indices < number)).all():
        raise IndexError(f"want {name} in 0..{number - 1}")


def _choose(backend: Backend | None, A: Tensor) -> Backend:
    device = A.device.type
    if backend is None:
        return (A.dtype == torch.float32 and _fused.best(device)) or "torch"
    if backend == "torch":
        return backend
    if backend not in _fused.DEVICES:
        raise ValueError(f"backend: want numba, triton or torch, got {backend!r}")
    if device not in _fused.devices(backend):
        raise ValueError(
            f"the {backend} backend draws on {_fused.DEVICES[backend]}, but the maps are on {device}"
        )
    if A.dtype != torch.float32:
        raise ValueError(f"the {backend} backend draws in float32, got {A.dtype}: take backend='torch'")
    if (reason := _fused.refusal(backend)) is not None:
        raise RuntimeError(f"the {backend} backend cannot be used here: {reason}")
    return backend


def _check(
    transforms: Transforms,
    fractals: Tensor,
    sequences: Tensor,
    start: Tensor | None,
) -> None:
    A, b = transforms
    if A.ndim != 4 or A.shape[2:] != (2, 2) or b.shape != A.shape[:3]:
        raise ValueError(f"want A [J, N, 2, 2] and b [J, N, 2], got {list(A.shape)} and {list(b.shape)}")
    if fractals.ndim != 1 or sequences.ndim != 2 or len(fractals) != len(sequences):
        raise ValueError(
            f"want fractals [B] and sequences [B, T], got {list(fractals.shape)} and {list(sequences.shape)}"
        )
    if start is not None and start.shape != (len(fractals), 2):
        raise ValueError(f"want start [B, 2] for {len(fractals)} images, got {list(start.shape)}")
    indices = {"fractals": fractals, "sequences": sequences}
    numbers = {"A": A, "b": b} | ({} if start is None else {"start": start})
    for name, tensor in (indices | numbers).items():
        if tensor.device != A.device:
            raise ValueError(f"want all on one device, got A on {A.device} and {name} on {tensor.device}")
        if name in indices and tensor.dtype not in INTEGERS:
            raise ValueError(f"{name}: want whole numbers, got {tensor.dtype}")
        if name in numbers and not tensor.is_floating_point():
            raise ValueError(f"{name}: want floating-point numbers, got {tensor.dtype}")
    if A.shape[1] < 1:
        raise ValueError("want fractals of one transform or more, got A with N = 0")
