"""Checks of the arguments of ``render``."""

import torch
from torch import Tensor

from fractalgan.ops.affine import Transforms
from fractalgan.ops.features import Features

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
MIN_TAU, MAX_TAU = 1e-4, 1e4  # pixels squared: bumps of a hundredth of a pixel, and of a hundred pixels
MIN_WINDOW, MAX_WINDOW = 1e-6, 1e6


def check_view(size: tuple[int, int], window: float, *taus: float) -> None:
    """Raise ValueError unless size, window and every tau are in the ranges that :func:`render` accepts."""
    if len(size) != 2 or not all(isinstance(length, int) and length >= 1 for length in size):
        raise ValueError(f"size must be (H, W) with H, W >= 1, got {size}")
    if not MIN_WINDOW <= window <= MAX_WINDOW:
        raise ValueError(f"window must be in [1e-6, 1e6], got {window}")
    for tau in taus:
        if not MIN_TAU <= tau <= MAX_TAU:
            raise ValueError(f"tau must be in [1e-4, 1e4], got {tau}")


def check_tensors(transforms: Transforms, fractals: Tensor, sequences: Tensor, start: Tensor | None) -> None:
    """Raise ValueError for tensors whose shapes, types or devices do not fit together."""
    A, b = transforms
    if A.ndim != 4 or A.shape[2:] != (2, 2) or b.shape != A.shape[:3]:
        raise ValueError(
            f"transforms must be A [J, N, 2, 2] and b [J, N, 2], got {list(A.shape)} and {list(b.shape)}"
        )
    if A.shape[1] < 1:
        raise ValueError(f"transforms must have N >= 1, got A {list(A.shape)}")
    if fractals.ndim != 1 or sequences.ndim not in (2, 3) or len(fractals) != len(sequences):
        raise ValueError(
            "fractals must be [B] and sequences [B, T] or [B, C, T],"
            f" got {list(fractals.shape)} and {list(sequences.shape)}"
        )
    if sequences.ndim == 3 and 0 in sequences.shape[1:]:
        raise ValueError(f"sequences [B, C, T] must have C, T >= 1, got {list(sequences.shape)}")
    if start is not None and start.shape != (*sequences.shape[:-1], 2):
        raise ValueError(f"start must be {[*sequences.shape[:-1], 2]}, got {list(start.shape)}")
    indices = {"fractals": fractals, "sequences": sequences}
    numbers = {"A": A, "b": b} | ({} if start is None else {"start": start})
    for name, tensor in (indices | numbers).items():
        if tensor.device != A.device:
            raise ValueError(
                f"tensors must be on one device, got A on {A.device} and {name} on {tensor.device}"
            )
        if name in indices and tensor.dtype not in INTEGERS:
            raise ValueError(f"{name} must have an integer dtype, got {tensor.dtype}")
        if name in numbers and not tensor.is_floating_point():
            raise ValueError(f"{name} must have a floating-point dtype, got {tensor.dtype}")


def check_features(features: Features, transforms: Transforms) -> None:
    """Raise ValueError for features whose shapes, types or devices do not fit the transforms."""
    number, (A, b) = features.values.shape[-1:], transforms
    shapes = b.shape[:2] + number, b.shape[:2], b.shape[:1] + number
    for name, tensor, shape in zip(Features._fields, features, shapes, strict=True):
        if tensor.shape != shape:
            raise ValueError(f"features.{name} must have the shape {list(shape)}, got {list(tensor.shape)}")
        if tensor.device != A.device:
            raise ValueError(
                f"tensors must be on one device, got A on {A.device} and {name} on {tensor.device}"
            )
        if not tensor.is_floating_point():
            raise ValueError(f"features.{name} must have a floating-point dtype, got {tensor.dtype}")


def check_indices(name: str, indices: Tensor, count: int) -> None:
    """Raise IndexError unless all indices are in 0..count-1; not on a GPU, which would have to wait."""
    if indices.device.type == "cpu" and not (valid := (indices >= 0) & (indices < count)).all():
        raise IndexError(f"{name} must be in [0, {count - 1}], got {int(indices[~valid][0])}")
