"""The fused backends as one operator of torch's, with its gradient, for autograd and torch.compile."""

import os
import warnings
from functools import lru_cache
from importlib import import_module
from typing import Any, Literal

import torch
from torch import Tensor

Fused = Literal["numba", "triton"]

# The kind of device whose tensors each backend draws.
DEVICES: dict[Fused, str] = {"numba": "cpu", "triton": "cuda"}


@torch.library.custom_op("fractalgan::draw", mutates_args=())
def draw(
    maps: Tensor,  # [J, N, 6] float32: A row by row, then b
    fractals: Tensor,  # [B] int64
    sequences: Tensor,  # [B, T] int64
    start: Tensor,  # [B, 2] float32
    height: int,
    width: int,
    window: float,
    tau: float,
    backend: str,
) -> Tensor:  # [B, H, W]
    """Eqs. 3 and 8 in one, clamped to [0, 1]; differentiable in the maps, once."""
    images: Tensor = _module(backend).forward(maps, fractals, sequences, start, (height, width), window, tau)
    return images


@torch.library.custom_op("fractalgan::draw_backward", mutates_args=())
def _draw_backward(
    cotangent: Tensor,
    images: Tensor,
    maps: Tensor,
    fractals: Tensor,
    sequences: Tensor,
    start: Tensor,
    window: float,
    tau: float,
    backend: str,
) -> Tensor:
    gradient: Tensor = _module(backend).backward(
        cotangent, images, maps, fractals, sequences, start, window, tau
    )
    # points that are lost pass nothing on, and so would hide a loss that is not finite: 0 or NaN is added
    broken = 0 * cotangent.flatten(1).sum(1)
    return (
        gradient
        + broken.new_zeros(len(maps)).index_add_(0, fractals.clamp(0, len(maps) - 1), broken)[:, None, None]
    )


@torch.library.custom_op("fractalgan::look_up", mutates_args=())
def look_up(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """How many entries of each row of cumulative [B, N - 1] are at most each of uniform [B, T]: [B, T]."""
    indices: Tensor = _module("numba").look_up(cumulative, uniform)
    return indices


@draw.register_fake
def _(*given: Any) -> Tensor:
    maps, fractals, _, _, height, width, *_ = given
    images: Tensor = maps.new_empty(fractals.shape[0], height, width)
    return images


@_draw_backward.register_fake
def _(*given: Any) -> Tensor:
    maps: Tensor = given[2]
    return maps.new_empty(maps.shape)


@look_up.register_fake
def _(*given: Any) -> Tensor:
    uniform: Tensor = given[1]
    return uniform.new_empty(uniform.shape, dtype=torch.long)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    maps, fractals, sequences, start, _, _, *ctx.scene = inputs
    ctx.save_for_backward(output, maps, fractals, sequences, start)


def _differentiate(ctx: Any, cotangent: Tensor) -> tuple[Any, ...]:
    gradient = _draw_backward(cotangent, *ctx.saved_tensors, *ctx.scene) if ctx.needs_input_grad[0] else None
    return gradient, None, None, None, None, None, None, None, None


draw.register_autograd(_differentiate, setup_context=_keep)


@lru_cache
def _module(backend: str) -> Any:
    return import_module(f"fractalgan.ops._{backend}")


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def refusal(backend: Fused) -> str | None:
    """Why a backend cannot be used here, found by drawing a point; None where it can."""
    return _try(backend)


@lru_cache
def _try(backend: Fused) -> str | None:
    device = devices(backend)[-1]
    if device == "cuda" and not torch.cuda.is_available():
        return "there is no CUDA device"
    try:
        maps = torch.zeros(1, 1, 6, device=device, dtype=torch.float32)
        index = torch.zeros(1, dtype=torch.long, device=device)
        scene = index, index[None], maps[:, 0, :2]
        images = _module(backend).forward(maps, *scene, (1, 1), 1.0, 1.0)
        _module(backend).backward(images, images, maps, *scene, 1.0, 1.0)
    except Exception as error:  # a compiler has many ways to refuse
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    return None


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def best(device: str) -> Fused | None:
    """The fused backend for tensors on a device; without one that works it says so, once, and is None."""
    for backend, home in DEVICES.items():
        if device == home:
            if (reason := _try(backend)) is None:
                return backend
            _lament(backend, reason)
    return None


@lru_cache
def _lament(backend: Fused, reason: str) -> None:
    warnings.warn(
        f"fractals are drawn in plain torch, which is slower: the {backend} backend refuses ({reason})",
        RuntimeWarning,
        stacklevel=2,
    )


def devices(backend: Fused) -> list[str]:
    """The kinds of device whose tensors a backend takes; Triton's interpreter takes the CPU's as well."""
    interpreted = backend == "triton" and os.environ.get("TRITON_INTERPRET", "0") == "1"
    return [DEVICES[backend], *(["cpu"] if interpreted else [])]
