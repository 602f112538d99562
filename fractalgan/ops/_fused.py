"""The fused backends as PyTorch operators with a gradient, for autograd and torch.compile."""

import os
import warnings
from functools import lru_cache
from importlib import import_module
from typing import Any, Literal

import torch
from torch import Tensor

from fractalgan.ops._threads import parallel_for

Fused = Literal["numba", "triton"]

# The type of device whose tensors each backend takes.
DEVICE_TYPES: dict[Fused, str] = {"numba": "cpu", "triton": "cuda"}


@torch.library.custom_op("fractalgan::draw", mutates_args=())
def draw(
    packed: Tensor,  # [J, N, 6 or 7 + K] float32: see _packing.py
    background: Tensor,  # [J, K] float32
    fractals: Tensor,  # [B] int64
    sequences: Tensor,  # [B, C, T] int64
    start: Tensor,  # [B, C, 2] float32
    height: int,
    width: int,
    window: float,
    tau: float,
    backend: str,
) -> tuple[Tensor, Tensor]:  # [B, K or 1, H, W] and [B, H, W]
    """Eqs. 3 and 8: images, and for K > 0 the sums of bumps; differentiable once in both first arguments."""
    view = (height, width), window, tau
    drawn: tuple[Tensor, Tensor] = _module(backend).forward(
        packed, background, fractals, sequences, start, *view
    )
    return drawn


@torch.library.custom_op("fractalgan::draw_backward", mutates_args=())
def _draw_backward(
    cotangent: Tensor,  # [B, K or 1, H, W]
    images: Tensor,  # [B, K or 1, H, W]
    weights: Tensor,  # [B, H, W], the sums of bumps; empty for K = 0
    packed: Tensor,
    background: Tensor,
    fractals: Tensor,
    sequences: Tensor,
    start: Tensor,
    window: float,
    tau: float,
    backend: str,
) -> tuple[Tensor, Tensor]:  # [J, N, 6 or 7 + K] and [J, K]
    gradient, of_background = _module(backend).backward(
        cotangent, images, weights, packed, background, fractals, sequences, start, window, tau
    )
    # Points that are not finite pass no gradient, which would hide a loss that is not finite. So each image
    # adds 0 times its cotangent, which is 0 or NaN, to the gradient of its fractal.
    zero_or_nan = 0 * cotangent.flatten(1).sum(1)
    num_fractals = len(packed)
    fractals = fractals.clamp(0, num_fractals - 1)
    gradient += zero_or_nan.new_zeros(num_fractals).index_add_(0, fractals, zero_or_nan)[:, None, None]
    return gradient, background.new_zeros(background.shape).index_put_(
        (fractals,), of_background, accumulate=True
    )


@torch.library.custom_op("fractalgan::searchsorted_rows", mutates_args=())
def searchsorted_rows(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """``torch.searchsorted(cumulative, uniform, right=True)``, for [B, N - 1] and [B, T] on a CPU."""
    indices: Tensor = _module("numba").searchsorted_rows(cumulative, uniform)
    return indices


@torch.library.custom_op("fractalgan::even_rows", mutates_args=())
def even_rows(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Even sequences [B, T] of probabilities [B, N] and uniform [B, T], both float64 on a CPU."""
    indices = torch.empty(uniform.shape, dtype=torch.long)
    arrays = probabilities.contiguous().numpy(), uniform.contiguous().numpy(), indices.numpy()
    kernels = _module("even_kernel")
    fill = kernels.even_rows if unavailable_reason("numba") else kernels.even_rows_compiled
    parallel_for(lambda first, last: fill(first, last, *arrays), len(uniform))
    return indices


@draw.register_fake
def _(*arguments: Any) -> tuple[Tensor, Tensor]:
    _, background, fractals, _, _, height, width, *_ = arguments
    batch, number = fractals.shape[0], background.shape[1]
    images: Tensor = background.new_empty(batch, max(1, number), height, width)
    return images, background.new_empty(batch if number else 0, height, width)


@_draw_backward.register_fake
def _(*arguments: Any) -> tuple[Tensor, Tensor]:
    packed, background = arguments[3:5]
    return packed.new_empty(packed.shape), background.new_empty(background.shape)


@searchsorted_rows.register_fake
@even_rows.register_fake
def _(*arguments: Any) -> Tensor:
    uniform: Tensor = arguments[1]
    return uniform.new_empty(uniform.shape, dtype=torch.long)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    packed, background, fractals, sequences, start, _, _, *ctx.options = inputs
    ctx.save_for_backward(*output, packed, background, fractals, sequences, start)
    ctx.mark_non_differentiable(output[1])


def _backward(ctx: Any, cotangent: Tensor, _: Tensor) -> tuple[Any, ...]:
    gradients = _draw_backward(cotangent, *ctx.saved_tensors, *ctx.options)
    return *gradients, None, None, None, None, None, None, None, None


draw.register_autograd(_backward, setup_context=_setup_context)


@lru_cache
def _module(backend: str) -> Any:
    return import_module(f"fractalgan.ops._{backend}")


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def best_backend(device: str) -> Fused | None:
    """The fused backend for tensors on a type of device; None, with one warning, if it is not available."""
    for backend, device_type in DEVICE_TYPES.items():
        if device == device_type:
            if (reason := _try(backend)) is None:
                return backend
            _warn_fallback(backend, reason)
    return None


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def unavailable_reason(backend: Fused) -> str | None:
    """Why a backend is not available, or None if it is."""
    return _try(backend)


def supported_devices(backend: Fused) -> list[str]:
    """The types of device whose tensors a backend takes; Triton's interpreter also takes those of the CPU."""
    interpreted = backend == "triton" and os.environ.get("TRITON_INTERPRET", "0") == "1"
    return [DEVICE_TYPES[backend], *(["cpu"] if interpreted else [])]


@lru_cache
def _try(backend: Fused) -> str | None:
    """Draw one point, forward and backward, and return the reason if that fails."""
    device = supported_devices(backend)[-1]
    if device == "cuda" and not torch.cuda.is_available():
        return "there is no CUDA device"
    try:
        packed = torch.zeros(1, 1, 8, device=device, dtype=torch.float32)  # with a gray level: all kernels
        index = torch.zeros(1, dtype=torch.long, device=device)
        inputs = packed, packed[0, :, :1], index, index[None, None], packed[:, :1, :2]
        drawn = _module(backend).forward(*inputs, (1, 1), 1.0, 1.0)
        _module(backend).backward(drawn[0], *drawn, *inputs, 1.0, 1.0)
    except Exception as error:  # compilers raise many types of error
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    return None


@lru_cache
def _warn_fallback(backend: Fused, reason: str) -> None:
    warnings.warn(
        f"drawing with backend='torch', which is slower: backend={backend!r} is not available ({reason})",
        RuntimeWarning,
        stacklevel=2,
    )
