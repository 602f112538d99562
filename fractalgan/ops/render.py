"""The public op: transforms and index sequences to images, differentiable in the transforms."""

from typing import Literal

import torch
from torch import Tensor

from fractalgan.ops import _fused
from fractalgan.ops._checks import check_features, check_indices, check_tensors, check_view
from fractalgan.ops._packing import pack
from fractalgan.ops.affine import Transforms, fixed_point
from fractalgan.ops.chaos import iterate_points
from fractalgan.ops.compositing import composite
from fractalgan.ops.features import Features, point_features
from fractalgan.ops.splat import splat_separable, to_pixels

Backend = Literal["numba", "triton", "torch"]


def render(
    transforms: Transforms,  # A [J, N, 2, 2], b [J, N, 2]
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, T] or [B, C, T]
    *,
    size: tuple[int, int],
    window: float,
    tau: float = 1.0,
    start: Tensor | None = None,  # [B, 2] or [B, C, 2]
    features: Features | None = None,  # values [J, N, K], blend [J, N], background [J, K]
    backend: Backend | None = None,
) -> Tensor:  # [B, H, W] or [B, K, H, W]
    """Draw fractals by the chaos game, differentiably: Eqs. 3 and 8 of the paper, then min(I, 1).

    Image i shows fractal ``fractals[i]``, drawn along the index sequence ``sequences[i]``, or along several,
    which are then called chains: their points are summed. Chains are drawn in parallel, so that one large
    image can use all threads, and a GPU need not follow one long sequence. Gradients flow to
    A and b through every point whose bump reaches a pixel that is not full (clamped to 1); they can be
    computed once, not twice. Points that are infinite or NaN draw nothing and pass no gradient.

    With ``features``, transforms have gray levels (K = 1) or colors (K = 3). A pixel is then the mean of the
    features of its points, weighted by their bumps, with alpha = min(I, 1) on the background; see
    :class:`Features` and :func:`composite`. Gradients flow to the features as well.

    There are three backends. ``"numba"`` (CPU) and ``"triton"`` (CUDA) are fused: they process one point
    after another in a single pass, and cut bumps off at 2^-23 of their peak, the precision of float32.
    ``"torch"`` is made of PyTorch's operators; it supports all devices and float64, and is slower.

    Args:
        transforms: A ``[J, N, 2, 2]`` and b ``[J, N, 2]``, floating point. Types of lower precision are
            converted to float32.
        fractals: the fractal of each image, integers ``[B]`` in 0..J-1.
        sequences: index sequences, integers ``[B, T]``, or ``[B, C, T]`` for C chains per image, in
            0..N-1; see :func:`draw_sequences`.
        size: height H and width W of the images in pixels, each >= 1.
        window: half the side of the square [-window, window]^2 of the plane that is drawn, in [1e-6, 1e6].
        tau: width of the bumps in pixels squared, in [1e-4, 1e4].
        start: v(0), ``[B, 2]`` or ``[B, C, 2]``, treated as a constant. Default: :func:`start_points`.
        features: values ``[J, N, K]`` and blend ``[J, N]`` of the transforms, and background ``[J, K]``, all
            in [0, 1]. Default: none, K = 0.
        backend: ``"numba"``, ``"triton"`` or ``"torch"``. Default: for float32, the fused backend of the
            tensors' device if it is available; otherwise ``"torch"``.

    Returns:
        Images ``[B, H, W]`` in [0, 1], or ``[B, K, H, W]`` with K features; float32 or float64.

    Raises:
        ValueError: if an argument has a wrong shape, type or device, or is out of its range.
        IndexError: on a CPU, if ``fractals`` or ``sequences`` has an index that is out of range. On a GPU,
            where the check would be slow, ``"triton"`` leaves such points out.
        RuntimeError: if the requested backend is not available.

    Example::

        >>> transforms = anderson_farrell(num_fractals=100, num_transforms=10)
        >>> fractals = torch.arange(1000) % 100
        >>> sequences = draw_sequences(determinant_probabilities(transforms.A), fractals, num_points=300)
        >>> images = render(transforms, fractals, sequences, size=(32, 32), window=2.5)
        >>> images.shape
        torch.Size([1000, 32, 32])
    """
    check_tensors(transforms, fractals, sequences, start)
    check_view(size, window, tau)
    features = Features.none(transforms.b) if features is None else features
    check_features(features, transforms)
    fractals, sequences = fractals.long(), sequences.long()
    dtype = torch.promote_types(transforms.A.dtype, torch.float32)
    transforms = Transforms(transforms.A.to(dtype), transforms.b.to(dtype))
    features = Features(*(each.to(dtype) for each in features))
    start = start_points(transforms, fractals, sequences) if start is None else start.to(dtype)
    if sequences.ndim == 2:  # one chain per image
        sequences, start = sequences.unsqueeze(1), start.unsqueeze(1)
    chosen = _choose(backend, transforms.A)
    with torch.autocast(transforms.A.device.type, enabled=False):  # the recurrence needs full precision
        images: Tensor  # [B, K, H, W], or [B, 1, H, W] for K = 0
        if chosen == "torch":
            images = _render_in_torch(transforms, features, fractals, sequences, start, size, window, tau)
        else:
            packed = pack(transforms, features), features.background
            images, _ = _fused.draw(*packed, fractals, sequences, start, *size, window, tau, chosen)
    return images if features.num_features else images.squeeze(1)


def start_points(transforms: Transforms, fractals: Tensor, sequences: Tensor | None = None) -> Tensor:
    """The default v(0): the fixed point of the first transform of each image's fractal, ``[B, 2]``.

    This is the choice of Anderson & Farrell (WACV 2022). A chain that follows another one starts at the fixed
    point of the transform that the other ends with, as if both were one sequence that was cut; so all points
    are on the attractor. No gradient flows through v(0).

    Args:
        transforms: A ``[J, N, 2, 2]`` and b ``[J, N, 2]``.
        fractals: the fractal of each image, integers ``[B]`` in 0..J-1.
        sequences: index sequences; for chains ``[B, C, T]`` the result is ``[B, C, 2]``.
    """
    points = fixed_point(transforms.A.detach(), transforms.b.detach())  # [J, N, 2]
    fractals = fractals.long()  # a uint8 tensor would be taken for a mask
    if sequences is None or sequences.ndim == 2:
        return points[:, 0][fractals]
    ends = sequences[:, :-1, -1].long().clamp(0, points.shape[1] - 1)  # the backend reports others
    before = torch.cat([torch.zeros_like(sequences[:, :1, 0]), ends], 1)
    return points[fractals.unsqueeze(1), before]


def _choose(backend: Backend | None, A: Tensor) -> Backend:
    device = A.device.type
    if backend is None:
        return (A.dtype == torch.float32 and _fused.best_backend(device)) or "torch"
    if backend == "torch":
        return backend
    if backend not in _fused.DEVICE_TYPES:
        raise ValueError(f"backend must be 'numba', 'triton' or 'torch', got {backend!r}")
    if device not in _fused.supported_devices(backend):
        raise ValueError(
            f"tensors must be on {_fused.DEVICE_TYPES[backend]} with backend={backend!r}, got A on {device}"
        )
    if A.dtype != torch.float32:
        raise ValueError(
            f"transforms must be float32 with backend={backend!r}, got {A.dtype}: use backend='torch'"
        )
    if (reason := _fused.unavailable_reason(backend)) is not None:
        raise RuntimeError(f"backend={backend!r} is not available: {reason}")
    return backend


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _render_in_torch(
    transforms: Transforms,
    features: Features,
    fractals: Tensor,
    sequences: Tensor,  # [B, C, T]
    start: Tensor,  # [B, C, 2]
    size: tuple[int, int],
    window: float,
    tau: float,
) -> Tensor:
    """The backend ``"torch"``: a loop over the points of all images, then one matrix product per image."""
    # an index out of range would select a transform of another fractal
    check_indices("sequences", sequences, transforms.b.shape[1])
    check_indices("fractals", fractals, len(transforms.b))
    batch, chains, length = sequences.shape
    rows, sequences = fractals.repeat_interleave(chains), sequences.flatten(0, 1)
    points = iterate_points(transforms, rows, sequences, start.flatten(0, 1))
    points = to_pixels(points.reshape(batch, chains * length, 2), size, window)
    of_points = point_features(features, rows, sequences)
    of_points = of_points.reshape(batch, chains * length, features.num_features)
    return composite(splat_separable(points, size, tau, of_points), features.background[fractals])
