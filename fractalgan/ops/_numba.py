"""The fused backend for CPUs: one walk along the points of an image, and the same walk back.

Forward, each point is iterated and splat at once into the pixels that it can reach; backward, each
point collects its gradient from the same pixels and hands it on to the one before. Nothing of the
size T x H is ever built: a batch takes its images and its gradient, a thread one image's points. Points
are iterated in float64, and again on the way back: a fractal's rounding does not grow with the image.

A bump exp(-(i - x)^2 / tau) is cut where it falls below float32's last digit, 2^-23 of its peak; at
tau = 1 that leaves 8 pixels an axis. Bumps are looked up, not computed: the place of x between two
pixels picks a row of a table, and a cubic carries it to the exact place. So there is no exponential
in the loop, for any tau.
"""

import inspect
import math
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import event
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model
from numpy.typing import NDArray
from torch import Tensor

from fractalgan.ops._threads import in_pieces
from fractalgan.ops.splat import bump_reach

Array = NDArray[Any]

WIDTH = 8  # of a vector, and of a tile: enough for a bump at tau = 1
ROWS = 64  # of the table, a pixel, at tau = 1: the cubic is then right to 2e-9 of the peak
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
LARGEST = np.finfo(np.float32).max


def forward(
    maps: Tensor,  # [J, N, 6] A row by row, then b
    fractals: Tensor,  # [B]
    sequences: Tensor,  # [B, T]
    start: Tensor,  # [B, 2]
    size: tuple[int, int],
    window: float,
    tau: float,
) -> Tensor:
    """Images [B, H, W] in [0, 1].

    Raises IndexError for a fractal or a transform that does not exist.
    """
    images = maps.new_empty(len(fractals), *size)
    given = _arrays(maps, fractals, sequences, start) + _scene(size, window, tau)
    drawn = images.numpy()

    def draw(first: int, last: int) -> None:
        wrong = _draw(first, last, *given, drawn)
        if wrong >= 0:
            raise IndexError(
                f"image {wrong}: want fractals in 0..{len(maps) - 1} and sequences in 0..{maps.shape[1] - 1}"
            )

    in_pieces(draw, len(fractals))
    return images


def backward(
    cotangent: Tensor,  # [B, H, W]
    images: Tensor,  # [B, H, W]
    maps: Tensor,
    fractals: Tensor,
    sequences: Tensor,
    start: Tensor,
    window: float,
    tau: float,
) -> Tensor:
    """The gradient [J, N, 6] of the maps: that of each image, added up in the order of the images."""
    each = maps.new_zeros(len(fractals), *maps.shape[1:])
    size = images.shape[1], images.shape[2]
    given = _arrays(maps, fractals, sequences, start) + _scene(size, window, tau)
    drawn = _arrays(cotangent, images, each)

    def collect(first: int, last: int) -> None:
        _collect(first, last, *given, np.float32(2 / tau), *drawn)

    in_pieces(collect, len(fractals))
    gradient = maps.new_zeros(maps.shape)
    _add_up(*_arrays(fractals, each, gradient))
    return gradient


def look_up(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """How many entries of each row of cumulative [B, N - 1] are at most each of uniform [B, T]: [B, T]."""
    indices = torch.empty(uniform.shape, dtype=torch.long)
    rows = _arrays(cumulative, uniform, indices)
    in_pieces(lambda first, last: _count(first, last, *rows), len(uniform))
    return indices


def _arrays(*tensors: Tensor) -> tuple[Array, ...]:
    return tuple(tensor.detach().contiguous().numpy() for tensor in tensors)


# -- what a point's bump looks like -----------------------------------------------------------------


class _Bumps(NamedTuple):
    """Bumps that reach 2 * half pixels, for x anywhere between two pixels."""

    half: int
    table: Array  # [rows + 1, 4, lanes] each bump, by its Taylor coefficients around the row's middle


@lru_cache(maxsize=64)
def _bumps(tau: float) -> _Bumps:
    half = math.ceil(bump_reach(tau))
    lanes = -(-2 * half // WIDTH) * WIDTH
    rows = math.ceil(ROWS / math.sqrt(tau))
    pixels = np.arange(lanes) - (half - 1)
    distance = pixels - ((np.arange(rows + 1) + 0.5) / rows)[:, None]
    bump, slope = np.exp(-(distance**2) / tau), 2 * distance / tau
    curve = [bump, slope * bump, (slope**2 - 2 / tau) * bump / 2, (slope**3 - 6 * slope / tau) * bump / 6]
    table = np.stack(curve, 1)
    table[..., 2 * half :] = 0
    # by way of torch, whose memory begins where a cache line does
    return _Bumps(half, torch.from_numpy(table).float().numpy())


def _scene(size: tuple[int, int], window: float, tau: float) -> tuple[Any, ...]:
    """How the plane lies on the image, and the bumps.

    The first are two scales and two shifts (h, w): from the plane to pixels, counted so that a point
    begins to reach the image at 0.
    """
    bumps = _bumps(tau)
    scales = [(length - 1) / (2 * window) for length in size]
    shifts = [scale * window + bumps.half for scale in scales]
    return np.array([*scales, *shifts]), *bumps


# -- lanes: eight float32 numbers side by side ------------------------------------------------------
#
# numba leaves vectors to LLVM's own search for them, which gives up where two arrays might overlap,
# and counts references wherever an array is handed on. Kernels that are written with lanes and plain
# pointers become the instructions that they read like. A machine with narrower registers takes two.
# They stand in this file because numba's cache looks at the file of a kernel alone.

_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_NOTHING = ir.Constant(_VECTOR, ir.Undefined)
_FUSE = ("contract",)  # a product and a sum may become one instruction


class _Lanes(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="Lanes")


@register_model(_Lanes)
class _LanesModel(PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: _Lanes) -> None:
        super().__init__(manager, numba_type, _VECTOR)


_lanes, _pointer, _number = _Lanes(), types.CPointer(types.float32), types.float32


def _instruction(result: Any, *given: Any) -> Callable[[Callable[..., Any]], Any]:
    """A function for kernels, of these numba types, from one that writes it with LLVM's builder."""

    def make(write: Callable[..., Any]) -> Any:
        def resolve(*_: Any) -> Any:
            return result(*given), lambda _context, builder, _signature, values: write(builder, *values)

        resolve.__signature__ = inspect.signature(write)  # type: ignore[attr-defined]
        return intrinsic(resolve)

    return make


@intrinsic  # type: ignore[untyped-decorator]
def pointer(_: Any, array: Any) -> Any:
    """Where the numbers of a contiguous float32 array begin; the array must outlive it."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, values[0]).data

    return _pointer(array), generate


@_instruction(_number, _pointer, types.intp)
def read(builder: Any, start: Any, index: Any) -> Any:
    """The number at ``start[index]``."""
    return builder.load(builder.gep(start, [index]))


@_instruction(_lanes, _pointer, types.intp)
def load(builder: Any, start: Any, index: Any) -> Any:
    """The lanes from ``start[index]`` on."""
    return builder.load(_address(builder, start, index), align=4)


@_instruction(types.void, _pointer, types.intp, _lanes)
def store(builder: Any, start: Any, index: Any, lanes: Any) -> None:
    """Write the lanes to ``start[index]`` and on."""
    builder.store(lanes, _address(builder, start, index), align=4)


@_instruction(_lanes)
def count(_: Any) -> Any:
    """0, 1, 2 and so on."""
    return ir.Constant(_VECTOR, [float(lane) for lane in range(WIDTH)])


@_instruction(_lanes, _number)
def spread(builder: Any, number: Any) -> Any:
    """The same number in every lane."""
    first = builder.insert_element(_NOTHING, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, _NOTHING, _order([0] * WIDTH))


@_instruction(_lanes, _lanes, _lanes)
def times(builder: Any, left: Any, right: Any) -> Any:
    """Left * right, lane by lane."""
    return builder.fmul(left, right, flags=_FUSE)


@_instruction(_lanes, _lanes, _lanes, _lanes)
def multiply_add(builder: Any, left: Any, right: Any, onto: Any) -> Any:
    """Left * right + onto, lane by lane, rounded once where the machine can."""
    return builder.fadd(builder.fmul(left, right, flags=_FUSE), onto, flags=_FUSE)


@_instruction(_number, _lanes)
def total(builder: Any, lanes: Any) -> Any:
    """The sum over the lanes, always in the same order: halves onto halves."""
    for half in (4, 2, 1):
        moved = _order([(lane + half) % WIDTH for lane in range(WIDTH)])
        lanes = builder.fadd(lanes, builder.shuffle_vector(lanes, _NOTHING, moved))
    return builder.extract_element(lanes, ir.IntType(32)(0))


def _address(builder: Any, start: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(start, [index]), _VECTOR.as_pointer())


def _order(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), lanes)


# -- the kernels ------------------------------------------------------------------------------------

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile on first use, and keep the result on disk where there is a place for it."""
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # numba found no folder that it may write to
        return numba.njit(**_OPTIONS)(function)


def _inlined(function: Callable[..., Any]) -> Any:
    """Become part of the kernel that calls it."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


class _Announcement(event.Listener):  # type: ignore[misc]
    """Tells the user, once, why the first image takes some seconds."""

    told = False

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].py_func.__module__ == __name__ and not self.told:
            self.told = True
            print("compiling the fused renderer for this machine: some seconds, once", file=sys.stderr)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Announcement())


@_compiled
def _count(first: int, last: int, cumulative: Array, uniform: Array, indices: Array) -> None:
    """Fill rows first..last-1 of indices; level by level, which is vectors of comparisons."""
    for i in range(first, last):
        indices[i] = 0
        for n in range(cumulative.shape[1]):
            level = cumulative[i, n]
            for t in range(uniform.shape[1]):
                indices[i, t] += uniform[i, t] >= level


@_compiled
def _draw(
    first: int,
    last: int,
    maps: Array,
    fractals: Array,
    sequences: Array,
    start: Array,
    view: Array,
    half: int,
    table: Array,
    images: Array,
) -> int:
    """Draw images first..last-1; the first that has an index out of range, or -1."""
    height, width = images.shape[1], images.shape[2]
    canvas = np.empty((height + 2 * WIDTH, width + 2 * WIDTH), np.float32)
    scratch = np.empty(table.shape[2], np.float32)
    for i in range(first, last):
        canvas[:] = ZERO
        fractal = fractals[i]
        if not 0 <= fractal < maps.shape[0]:
            return i
        x, y = np.float64(start[i, 0]), np.float64(start[i, 1])
        for t in range(sequences.shape[1]):
            n = sequences[i, t]
            if not 0 <= n < maps.shape[1]:
                return i
            x, y = _step(maps, fractal, n, x, y)
            h, w = x * view[0] + view[2], y * view[1] + view[3]
            if _reaches(h, height, half) and _reaches(w, width, half):
                _splat(
                    h, w, height, width, half, table.shape[0] - 1, table.shape[2],
                    pointer(table), pointer(canvas), pointer(scratch),
                )  # fmt: skip
        for r in range(height):
            for s in range(width):
                images[i, r, s] = min(canvas[r + WIDTH, s + WIDTH], ONE)
    return -1


@_compiled
def _collect(
    first: int,
    last: int,
    maps: Array,
    fractals: Array,
    sequences: Array,
    start: Array,
    view: Array,
    half: int,
    table: Array,
    steepness: np.float32,
    cotangent: Array,
    images: Array,
    each: Array,
) -> None:
    """Add the gradients of images first..last-1 to each [B, N, 6], from the last point to the first."""
    height, width = images.shape[1], images.shape[2]
    canvas = np.zeros((height + 2 * WIDTH, width + 2 * WIDTH), np.float32)
    scratch = np.empty(2 * table.shape[2], np.float32)
    points = np.empty((sequences.shape[1] + 1, 2))
    for i in range(first, last):
        for r in range(height):
            for s in range(width):  # a full pixel passes nothing on
                canvas[r + WIDTH, s + WIDTH] = cotangent[i, r, s] if images[i, r, s] < ONE else ZERO
        fractal = fractals[i]
        points[0, 0], points[0, 1] = start[i, 0], start[i, 1]
        for t in range(sequences.shape[1]):
            x, y = _step(maps, fractal, sequences[i, t], points[t, 0], points[t, 1])
            points[t + 1, 0], points[t + 1, 1] = x, y
        adjoint_x = adjoint_y = ZERO  # dL/dv(t), by way of all later points too
        for t in range(sequences.shape[1] - 1, -1, -1):
            x, y = points[t + 1, 0], points[t + 1, 1]
            h, w = x * view[0] + view[2], y * view[1] + view[3]
            if _reaches(h, height, half) and _reaches(w, width, half):
                slope_h, slope_w = _gather(
                    h, w, height, width, half, table.shape[0] - 1, table.shape[2],
                    pointer(table), steepness, pointer(canvas), pointer(scratch),
                )  # fmt: skip
                adjoint_x += np.float32(view[0]) * slope_h
                adjoint_y += np.float32(view[1]) * slope_w
            if not (_finite(x, y) and _finite(adjoint_x, adjoint_y)):
                adjoint_x = adjoint_y = ZERO
            if adjoint_x == ZERO and adjoint_y == ZERO:
                continue
            n = sequences[i, t]
            x, y = np.float32(points[t, 0]), np.float32(points[t, 1])
            each[i, n, 0] += adjoint_x * x
            each[i, n, 1] += adjoint_x * y
            each[i, n, 2] += adjoint_y * x
            each[i, n, 3] += adjoint_y * y
            each[i, n, 4] += adjoint_x
            each[i, n, 5] += adjoint_y
            adjoint_x, adjoint_y = (
                maps[fractal, n, 0] * adjoint_x + maps[fractal, n, 2] * adjoint_y,
                maps[fractal, n, 1] * adjoint_x + maps[fractal, n, 3] * adjoint_y,
            )


@_compiled
def _add_up(fractals: Array, each: Array, gradient: Array) -> None:
    """Add each [B, N, 6] to the gradient [J, N, 6] of its fractal, in order, where it is finite."""
    for i in range(each.shape[0]):
        for n in range(each.shape[1]):
            for k in range(each.shape[2]):
                if abs(each[i, n, k]) <= LARGEST:
                    gradient[fractals[i], n, k] += each[i, n, k]


# -- a point, by tiles of 8 x 8 pixels --------------------------------------------------------------


@_inlined
def _splat(
    h: float,
    w: float,
    height: int,
    width: int,
    half: int,
    rows: int,
    lanes: int,
    table: Any,
    canvas: Any,
    bumps_h: Any,
) -> None:
    """Add the bump of a point at (h, w) to the canvas, which has a margin of one tile all around."""
    top, first_h, last_h, row_h, beyond_h, _ = _place(h, height, half, rows, lanes)
    left, first_w, last_w, row_w, beyond_w, _ = _place(w, width, half, rows, lanes)
    stride = width + 2 * WIDTH
    for p in range(first_h, last_h, WIDTH):
        store(bumps_h, p, _bump(table, lanes, row_h, p, beyond_h))
    for q in range(first_w, last_w, WIDTH):
        bump_w = _bump(table, lanes, row_w, q, beyond_w)
        for p in range(first_h, last_h, WIDTH):
            corner = (top + p + WIDTH) * stride + left + q + WIDTH
            for r in range(WIDTH):
                at = corner + r * stride
                store(canvas, at, multiply_add(spread(read(bumps_h, p + r)), bump_w, load(canvas, at)))


@_inlined
def _gather(
    h: float,
    w: float,
    height: int,
    width: int,
    half: int,
    rows: int,
    lanes: int,
    table: Any,
    steepness: np.float32,
    canvas: Any,
    scratch: Any,
) -> tuple[np.float32, np.float32]:
    """The sum over the canvas of the slope, along h and along w, of the bump of a point at (h, w)."""
    top, first_h, last_h, row_h, beyond_h, from_h = _place(h, height, half, rows, lanes)
    left, first_w, last_w, row_w, beyond_w, from_w = _place(w, width, half, rows, lanes)
    stride = width + 2 * WIDTH
    for p in range(first_h, last_h, WIDTH):
        bump = _bump(table, lanes, row_h, p, beyond_h)
        store(scratch, p, bump)
        store(scratch, lanes + p, _slope(bump, steepness, p - half + 1 - from_h))
    slope_h = slope_w = ZERO
    for q in range(first_w, last_w, WIDTH):
        bumps, slopes = spread(ZERO), spread(ZERO)  # along h, for each w
        for p in range(first_h, last_h, WIDTH):
            corner = (top + p + WIDTH) * stride + left + q + WIDTH
            for r in range(WIDTH):
                cotangent = load(canvas, corner + r * stride)
                bumps = multiply_add(spread(read(scratch, p + r)), cotangent, bumps)
                slopes = multiply_add(spread(read(scratch, lanes + p + r)), cotangent, slopes)
        bump = _bump(table, lanes, row_w, q, beyond_w)
        slope_h += total(times(slopes, bump))
        slope_w += total(times(bumps, _slope(bump, steepness, q - half + 1 - from_w)))
    return slope_h, slope_w


@_inlined
def _step(maps: Array, fractal: int, n: int, x: float, y: float) -> tuple[float, float]:
    """v' = A v + b (Eq. 3); from float32's largest number on it is lost, as in float32."""
    x, y = (
        maps[fractal, n, 0] * x + maps[fractal, n, 1] * y + maps[fractal, n, 4],
        maps[fractal, n, 2] * x + maps[fractal, n, 3] * y + maps[fractal, n, 5],
    )
    return (x, y) if _finite(x, y) else (np.nan, np.nan)


@_inlined
def _finite(x: Any, y: Any) -> Any:
    return abs(x) <= LARGEST and abs(y) <= LARGEST


@_inlined
def _reaches(place: float, length: int, half: int) -> bool:
    """Whether a bump at this place reaches a pixel: not one at NaN."""
    return 0.0 <= place < length + 2 * half - 1


@_inlined
def _place(
    place: float, length: int, half: int, rows: int, lanes: int
) -> tuple[int, int, int, int, np.float32, np.float32]:
    """Where a bump falls on an axis: the first pixel that it reaches, the lanes from and to which it is
    worth a visit, the table's row, and how far the point is past the row's middle and past its pixel."""
    pixel = int(place)
    first = pixel - 2 * half + 1
    beyond = np.float32(place - pixel)
    row = int(beyond * np.float32(rows))
    beyond_row = beyond - (np.float32(row) + HALF) / np.float32(rows)
    if lanes == WIDTH:  # a single tile
        return first, 0, WIDTH, row, beyond_row, beyond
    return first, max(-first, 0) & -WIDTH, min(lanes, length - first), row, beyond_row, beyond


@_inlined
def _bump(table: Any, lanes: int, row: int, lane: int, beyond: np.float32) -> Any:
    """The bump's lanes from ``lane`` on: the cubic of a row of the table."""
    at, d = 4 * lanes * row + lane, spread(beyond)
    curve = multiply_add(load(table, at + 3 * lanes), d, load(table, at + 2 * lanes))
    return multiply_add(multiply_add(curve, d, load(table, at + lanes)), d, load(table, at))


@_inlined
def _slope(bump: Any, steepness: np.float32, distance: np.float32) -> Any:
    """d/dx of a bump: 2 / tau times the pixel's distance, times the bump; given that of the first lane."""
    return times(multiply_add(count(), spread(steepness), spread(steepness * np.float32(distance))), bump)
