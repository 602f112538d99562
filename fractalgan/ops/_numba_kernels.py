"""The loops of the numba backend: everything that numba compiles; ``_numba.py`` calls them.

All of it is in one file because numba's cache is invalidated by changes of a kernel's own file only.

Kernels are written with explicit vectors and plain pointers. Left to itself, LLVM does not vectorize loops
over arrays that might overlap, and numba counts references wherever an array is passed on. A machine whose
registers are narrower than a vector uses two of them.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray

from fractalgan.ops._compile import compiled, inlined

Array = NDArray[Any]

GEOMETRY = 6  # numbers of a transform before its features: the rows of A, then b
WIDTH = 8  # of a vector, and of a tile: a bump fits in one at tau = 1
CHUNK = 64  # points of a chain that are computed before their bumps are added
ZERO, ONE = np.float32(0), np.float32(1)
FLOAT32_MAX = np.finfo(np.float32).max

# -- vectors: eight float32 numbers -----------------------------------------------------------------

_LLVM_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_UNDEFINED = ir.Constant(_LLVM_VECTOR, ir.Undefined)
_CONTRACT = ("contract",)  # a product and a sum may be fused into one instruction


class _VectorType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="Vector")


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: _VectorType) -> None:
        super().__init__(manager, numba_type, _LLVM_VECTOR)


_vector, _pointer, _scalar = _VectorType(), types.CPointer(types.float32), types.float32


def _llvm(result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function that emits LLVM instructions: kernels can call it with the given numba types."""

    def decorate(emit: Callable[..., Any]) -> Any:
        def resolve(*_: Any) -> Any:
            return result(*arguments), lambda _context, builder, _signature, values: emit(builder, *values)

        resolve.__signature__ = inspect.signature(emit)  # type: ignore[attr-defined]
        return intrinsic(resolve)

    return decorate


@intrinsic  # type: ignore[untyped-decorator]
def data_pointer(_: Any, array: Any) -> Any:
    """The address of a contiguous float32 array, which must outlive its use."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, values[0]).data

    return _pointer(array), generate


@_llvm(_scalar, _pointer, types.intp)
def load_scalar(builder: Any, start: Any, index: Any) -> Any:
    """The number at ``start[index]``."""
    return builder.load(builder.gep(start, [index]))


@_llvm(types.void, _pointer, types.intp, _scalar)
def store_scalar(builder: Any, start: Any, index: Any, number: Any) -> None:
    """Write a number to ``start[index]``."""
    builder.store(number, builder.gep(start, [index]))


@_llvm(_vector, _pointer, types.intp)
def load(builder: Any, start: Any, index: Any) -> Any:
    """The vector that begins at ``start[index]``."""
    return builder.load(_address(builder, start, index), align=4)


@_llvm(types.void, _pointer, types.intp, _vector)
def store(builder: Any, start: Any, index: Any, vector: Any) -> None:
    """Write a vector to ``start[index]`` and the elements after it."""
    builder.store(vector, _address(builder, start, index), align=4)


@_llvm(_vector)
def lane_indices(_: Any) -> Any:
    """The vector 0, 1, 2 ..."""
    return ir.Constant(_LLVM_VECTOR, [float(lane) for lane in range(WIDTH)])


@_llvm(_vector, _scalar)
def broadcast(builder: Any, number: Any) -> Any:
    """A vector whose elements all equal a number."""
    first = builder.insert_element(_UNDEFINED, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, _UNDEFINED, _lane_order([0] * WIDTH))


@_llvm(_vector, _vector, _vector)
def multiply(builder: Any, left: Any, right: Any) -> Any:
    """The elementwise product."""
    return builder.fmul(left, right, flags=_CONTRACT)


@_llvm(_vector, _vector, _vector, _vector)
def multiply_add(builder: Any, left: Any, right: Any, addend: Any) -> Any:
    """The elementwise left * right + addend, rounded once if the machine has such an instruction."""
    return builder.fadd(builder.fmul(left, right, flags=_CONTRACT), addend, flags=_CONTRACT)


@_llvm(_scalar, _vector)
def sum_elements(builder: Any, vector: Any) -> Any:
    """The sum of the elements, always in the same order: the halves of the vector are added repeatedly."""
    for half in (4, 2, 1):
        rotated = _lane_order([(lane + half) % WIDTH for lane in range(WIDTH)])
        vector = builder.fadd(vector, builder.shuffle_vector(vector, _UNDEFINED, rotated))
    return builder.extract_element(vector, ir.IntType(32)(0))


def _address(builder: Any, start: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(start, [index]), _LLVM_VECTOR.as_pointer())


def _lane_order(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), lanes)


# -- kernels ----------------------------------------------------------------------------------------
#
# The chains of an image are divided into groups, which are drawn side by side. Kernels process groups
# first..last-1; group k belongs to image k // groups. For projection, radius and table see _numba_view.py.


@compiled
def searchsorted_rows(first: int, last: int, cumulative: Array, uniform: Array, indices: Array) -> None:
    """Fill indices [B, T]; the loop over uniform [B, T] is inside, so that comparisons are vectorized."""
    for i in range(first, last):
        indices[i] = 0
        for n in range(cumulative.shape[1]):
            level = cumulative[i, n]
            for t in range(uniform.shape[1]):
                indices[i, t] += uniform[i, t] >= level


@compiled
def draw(
    first: int, last: int, groups: int, transforms: Array, fractals: Array, sequences: Array, start: Array,
    background: Array, projection: Array, radius: int, table: Array, middles: Array,
    images: Array, sums_of_bumps: Array, sums: Array,
) -> int:  # fmt: skip
    """Fill images, if each is one group, or else the sums of the groups [B groups, 1 + K, H, W].

    Return the first image with an invalid index, or -1.
    """
    planes, height, width = sums.shape[1], sums.shape[2], sums.shape[3]
    canvas = _new_canvas(planes, height, width)
    bump = np.empty(_bump_width(table), np.float32)
    positions, offsets = np.empty((2, CHUNK)), np.empty((2, CHUNK), np.float32)
    begins, rows = np.empty((2, CHUNK), np.int32), np.empty((2, CHUNK), np.int32)
    visible = np.empty(CHUNK, np.int64)
    weights = np.ones((1 + CHUNK, planes), np.float32)  # 1, then the features of a point
    for k in range(first, last):
        canvas[:] = ZERO
        i = k // groups
        fractal = fractals[i]
        if not 0 <= fractal < transforms.shape[0]:
            return i
        begin, end = _chains(k % groups, groups, sequences.shape[1])
        for c in range(begin, end):
            x, y = np.float64(start[i, c, 0]), np.float64(start[i, c, 1])
            for t in range(0, sequences.shape[2], CHUNK):
                part = sequences[i, c, t : t + CHUNK]
                x, y, number = _visible_points(
                    transforms, fractal, part, x, y, projection, height, width, radius, positions, visible
                )
                if number < 0:
                    return i
                if planes > 1:
                    _weigh_points(transforms, fractal, part, t, weights)
                _locate_points(number, positions, radius, middles, begins, rows, offsets)
                _splat_points(
                    number, begins, rows, offsets, visible, weights,
                    height, width, radius, table, canvas, bump,
                )  # fmt: skip
        if groups == 1:
            _composite(canvas, WIDTH, background, fractal, i, images, sums_of_bumps)
        else:
            sums[k] = canvas[:, WIDTH : WIDTH + height, WIDTH : WIDTH + width]
    return -1


@compiled
def sum_groups(
    first: int, last: int, groups: int, sums: Array, fractals: Array, background: Array,
    images: Array, sums_of_bumps: Array,
) -> None:  # fmt: skip
    """Fill images first..last-1 from the sums of their groups [B groups, 1 + K, H, W], added in order."""
    canvas = np.empty(sums.shape[1:], np.float32)
    for i in range(first, last):
        canvas[:] = sums[i * groups]
        for k in range(i * groups + 1, (i + 1) * groups):
            canvas += sums[k]
        _composite(canvas, 0, background, fractals[i], i, images, sums_of_bumps)


@compiled
def accumulate_gradients(
    first: int, last: int, groups: int, transforms: Array, fractals: Array, sequences: Array, start: Array,
    background: Array, projection: Array, radius: int, table: Array, middles: Array, steepness: np.float32,
    cotangent: Array, images: Array, sums_of_bumps: Array, of_background: Array, per_group: Array,
) -> None:  # fmt: skip
    """Add the gradients of the groups to per_group [B groups, N, 6 or 7 + K], from the last point on.

    The steepness of a bump is 2 / tau.
    """
    planes, height, width = 1 + background.shape[1], images.shape[2], images.shape[3]
    canvas = _new_canvas(planes, height, width)
    canvas[:] = ZERO
    scratch = np.empty(2 * _bump_width(table), np.float32)
    points = np.empty((sequences.shape[2] + 1, 2))
    weights = np.ones((sequences.shape[2], planes), np.float32)
    adjoints = np.empty(planes, np.float32)  # dL/df(t), including the path through all later points
    for k in range(first, last):
        i = k // groups
        if k == first or k % groups == 0:
            _composite_back(
                cotangent, images, sums_of_bumps, background, fractals[i], i, canvas, of_background
            )
        begin, end = _chains(k % groups, groups, sequences.shape[1])
        for c in range(begin, end):
            _trace(transforms, fractals[i], sequences, start, i, c, points, weights)
            adjoints[:] = ZERO
            adjoint_x = adjoint_y = ZERO  # dL/dv(t), including the path through all later points
            for t in range(sequences.shape[2] - 1, -1, -1):
                x, y = points[t + 1, 0], points[t + 1, 1]
                h, w = x * projection[0] + projection[2], y * projection[1] + projection[3]
                if _is_visible(h, height, radius) and _is_visible(w, width, radius):
                    slope_h, slope_w = _gather(
                        h, w, height, width, radius, middles, _bump_width(table),
                        data_pointer(table), steepness, data_pointer(canvas), data_pointer(scratch),
                        weights[t], adjoints,
                    )  # fmt: skip
                    adjoint_x += np.float32(projection[0]) * slope_h
                    adjoint_y += np.float32(projection[1]) * slope_w
                n = sequences[i, c, t]
                row, out = _row(transforms, fractals[i], n), _row(per_group, k, n)
                _give_features_back(
                    data_pointer(transforms), row, t, data_pointer(weights), (t - 1) * planes,
                    data_pointer(adjoints), data_pointer(per_group), out, planes,
                )  # fmt: skip
                if not (_are_finite(x, y) and _are_finite(adjoint_x, adjoint_y)):
                    adjoint_x = adjoint_y = ZERO
                if adjoint_x == ZERO and adjoint_y == ZERO:
                    continue
                adjoint_x, adjoint_y = _step_back(
                    transforms, fractals[i], n,
                    np.float32(points[t, 0]), np.float32(points[t, 1]),
                    adjoint_x, adjoint_y, per_group, k,
                )  # fmt: skip


@compiled
def sum_by_fractal(fractals: Array, per_group: Array, gradient: Array) -> None:
    """Add the finite numbers of per_group [B groups, N, P] to the gradient [J, N, P], in their order."""
    groups = max(1, per_group.shape[0] // max(1, len(fractals)))
    for k in range(per_group.shape[0]):
        fractal = fractals[k // groups]
        for n in range(per_group.shape[1]):
            for j in range(per_group.shape[2]):
                if abs(per_group[k, n, j]) <= FLOAT32_MAX:
                    gradient[fractal, n, j] += per_group[k, n, j]


@inlined
def _chains(group: int, groups: int, chains: int) -> tuple[int, int]:
    """The first chain of a group, and the one after its last."""
    return group * chains // groups, (group + 1) * chains // groups


@inlined
def _row(numbers: Array, j: int, n: int) -> Any:
    """Where the numbers of transform n begin in row j of a contiguous array [J, N, P]."""
    return (j * numbers.shape[1] + n) * numbers.shape[2]


@inlined
def _visible_points(
    transforms: Array, fractal: int, sequence: Array, x: float, y: float,
    projection: Array, height: int, width: int, radius: int, positions: Array, visible: Array,
) -> tuple[float, float, int]:  # fmt: skip
    """Compute the points of a part of a chain; (x, y) is the point before.

    Return the last point, and how many reach the image, or -1 for an invalid index. The positions of these
    are written to positions [2, CHUNK], and their numbers within the part to visible [CHUNK].
    """
    number = 0
    for t in range(len(sequence)):
        n = sequence[t]
        if not 0 <= n < transforms.shape[1]:
            return x, y, -1
        x, y = _step(transforms, fractal, n, x, y)
        h, w = x * projection[0] + projection[2], y * projection[1] + projection[3]
        positions[0, number], positions[1, number], visible[number] = h, w, t
        number += _is_visible(h, height, radius) & _is_visible(w, width, radius)
    return x, y, number


@inlined
def _weigh_points(transforms: Array, fractal: int, sequence: Array, first: int, weights: Array) -> None:
    """Compute the features of a part of a chain, from point ``first`` on, in rows 1.. of weights [., 1 + K].

    Row 0 has those of the point before, and in the end those of the last point.
    """
    planes = weights.shape[1]
    for t in range(len(sequence)):
        row = _row(transforms, fractal, sequence[t])
        _take_features(
            data_pointer(transforms), row, first + t,
            data_pointer(weights), t * planes, (t + 1) * planes, planes,
        )  # fmt: skip
    weights[0] = weights[len(sequence)]


@inlined
def _trace(
    transforms: Array, fractal: int, sequences: Array, start: Array, i: int, c: int,
    points: Array, weights: Array,
) -> None:  # fmt: skip
    """Compute the points [T + 1, 2] of a chain, v(0) first, and their weights [T, 1 + K]."""
    points[0, 0], points[0, 1] = start[i, c, 0], start[i, c, 1]
    for t in range(sequences.shape[2]):
        n = sequences[i, c, t]
        x, y = _step(transforms, fractal, n, points[t, 0], points[t, 1])
        points[t + 1, 0], points[t + 1, 1] = x, y
        row, planes = _row(transforms, fractal, n), weights.shape[1]
        _take_features(
            data_pointer(transforms), row, t, data_pointer(weights), (t - 1) * planes, t * planes, planes
        )


@inlined
def _step(transforms: Array, fractal: int, n: int, x: float, y: float) -> tuple[float, float]:
    """v' = A v + b (Eq. 3); NaN once it exceeds the range of float32, so that it never returns."""
    x, y = (
        transforms[fractal, n, 0] * x + transforms[fractal, n, 1] * y + transforms[fractal, n, 4],
        transforms[fractal, n, 2] * x + transforms[fractal, n, 3] * y + transforms[fractal, n, 5],
    )
    return (x, y) if _are_finite(x, y) else (np.nan, np.nan)


@inlined
def _take_features(
    transforms: Any, row: int, t: int, weights: Any, before: int, at: int, planes: int
) -> None:
    """Blend the features of a transform with those of the point before, into weights [1 + K] of point t.

    The numbers of the transform begin at ``row``, the weights of point t - 1 at ``before``.
    """
    blend = load_scalar(transforms, row + GEOMETRY + planes - 1) if t > 0 and planes > 1 else ZERO
    for k in range(1, planes):
        own = load_scalar(transforms, row + GEOMETRY - 1 + k)
        kept = blend * load_scalar(weights, before + k) if t > 0 else ZERO
        store_scalar(weights, at + k, (ONE - blend) * own + kept)


@inlined
def _give_features_back(
    transforms: Any, row: int, t: int, weights: Any, before: int, adjoints: Any,
    per_group: Any, out: int, planes: int,
) -> None:  # fmt: skip
    """Add the gradient of the features of a transform and of their blend, and pass the rest on to t - 1.

    The gradient of the transform begins at ``out``.
    """
    last = GEOMETRY + planes - 1  # the place of the blend
    blend = load_scalar(transforms, row + last) if t > 0 and planes > 1 else ZERO
    of_blend = ZERO
    for k in range(1, planes):
        adjoint, at = load_scalar(adjoints, k), GEOMETRY - 1 + k
        gradient = load_scalar(per_group, out + at) + (ONE - blend) * adjoint
        store_scalar(per_group, out + at, gradient)
        if t > 0:
            of_blend += adjoint * (load_scalar(weights, before + k) - load_scalar(transforms, row + at))
        store_scalar(adjoints, k, blend * adjoint)
    if t > 0 and planes > 1:
        store_scalar(per_group, out + last, load_scalar(per_group, out + last) + of_blend)


@inlined
def _step_back(
    transforms: Array, fractal: int, n: int, x: np.float32, y: np.float32,
    adjoint_x: np.float32, adjoint_y: np.float32, per_image: Array, i: int,
) -> tuple[np.float32, np.float32]:  # fmt: skip
    """Add the gradient of the transform that was applied to (x, y), and return A^T times the adjoint."""
    per_image[i, n, 0] += adjoint_x * x
    per_image[i, n, 1] += adjoint_x * y
    per_image[i, n, 2] += adjoint_y * x
    per_image[i, n, 3] += adjoint_y * y
    per_image[i, n, 4] += adjoint_x
    per_image[i, n, 5] += adjoint_y
    return (
        transforms[fractal, n, 0] * adjoint_x + transforms[fractal, n, 2] * adjoint_y,
        transforms[fractal, n, 1] * adjoint_x + transforms[fractal, n, 3] * adjoint_y,
    )


@inlined
def _are_finite(x: Any, y: Any) -> Any:
    return abs(x) <= FLOAT32_MAX and abs(y) <= FLOAT32_MAX


@inlined
def _is_visible(position: float, length: int, radius: int) -> bool:
    """Whether a bump at a position along an axis reaches a pixel; False for NaN."""
    return 0.0 <= position < length + 2 * radius - 1


# -- one image from its sums, as in compositing.py --------------------------------------------------


@inlined
def _composite(
    canvas: Array, margin: int, background: Array, fractal: int, i: int, images: Array, sums_of_bumps: Array
) -> None:
    """Fill image i from the sums in a canvas [1 + K, H, W] with a margin, and keep the sum of bumps."""
    for r in range(images.shape[2]):
        if canvas.shape[0] == 1:
            for s in range(images.shape[3]):
                images[i, 0, r, s] = min(canvas[0, r + margin, s + margin], ONE)
            continue
        for s in range(images.shape[3]):
            sums_of_bumps[i, r, s] = canvas[0, r + margin, s + margin]
        for k in range(images.shape[1]):
            behind = background[fractal, k]
            for s in range(images.shape[3]):
                bumps = canvas[0, r + margin, s + margin]
                mean = canvas[1 + k, r + margin, s + margin] / max(bumps, ONE)
                images[i, k, r, s] = mean + max(ONE - bumps, ZERO) * behind


@inlined
def _composite_back(
    cotangent: Array, images: Array, sums_of_bumps: Array, background: Array, fractal: int, i: int,
    canvas: Array, of_background: Array,
) -> None:  # fmt: skip
    """Fill a canvas with the gradients of the sums of image i, and find that of its background."""
    if canvas.shape[0] == 1:
        for r in range(images.shape[2]):
            for s in range(images.shape[3]):
                full = images[i, 0, r, s] >= ONE
                canvas[0, r + WIDTH, s + WIDTH] = ZERO if full else cotangent[i, 0, r, s]
        return
    canvas[0] = ZERO
    total = np.empty(images.shape[3], np.float32)
    for k in range(images.shape[1]):
        behind = background[fractal, k]
        total[:] = ZERO
        for r in range(images.shape[2]):
            for s in range(images.shape[3]):
                bumps, slope = sums_of_bumps[i, r, s], cotangent[i, k, r, s]
                scaled = slope / max(bumps, ONE)
                covered = behind if bumps < ONE else images[i, k, r, s]
                canvas[1 + k, r + WIDTH, s + WIDTH] = scaled
                canvas[0, r + WIDTH, s + WIDTH] -= scaled * covered
                total[s] += slope * max(ONE - bumps, ZERO)
        of_background[i, k] = total.sum()


# -- one bump, in tiles of 8 x 8 pixels -------------------------------------------------------------
#
# A bump begins at pixel (top, left), and is a product of one along each axis: rows of the table, interpolated
# at offsets from their middles.


@inlined
def _new_canvas(planes: int, height: int, width: int) -> Array:
    """An uninitialized canvas with a margin for bumps that exceed the image: a tile, two on the right."""
    return np.empty((planes, height + 2 * WIDTH, width + 3 * WIDTH), np.float32)


@inlined
def _address_of(plane: int, top: int, left: int, height: int, width: int) -> tuple[int, int]:
    """Where pixel (top, left) of a plane is in a canvas, and the distance of one row to the next."""
    stride = width + 3 * WIDTH
    return (plane * (height + 2 * WIDTH) + top + WIDTH) * stride + left + WIDTH, stride


@inlined
def _splat_points(
    number: int, begins: Array, rows: Array, offsets: Array, visible: Array, weights: Array,
    height: int, width: int, radius: int, table: Array, canvas: Array, bump: Array,
) -> None:  # fmt: skip
    """Add the bumps of points, which :func:`_locate_points` has located, to a canvas."""
    for j in range(number):
        _splat(
            begins[0, j], begins[1, j], rows[0, j], rows[1, j], offsets[0, j], offsets[1, j],
            height, width, radius, _bump_width(table), data_pointer(table),
            data_pointer(canvas), data_pointer(bump),
            data_pointer(weights), (1 + visible[j]) * weights.shape[1], weights.shape[1],
        )  # fmt: skip


@inlined
def _splat(
    top: int, left: int, row_h: int, row_w: int, offset_h: np.float32, offset_w: np.float32,
    height: int, width: int, radius: int, bump_width: int,
    table: Any, canvas: Any, bump_h: Any, weights: Any, own: int, planes: int,
) -> None:  # fmt: skip
    """Add a bump times each weight [1 + K], from ``own`` on, to the canvas of that weight."""
    if bump_width == WIDTH:
        store(bump_h, 0, _bump(table, WIDTH, row_h, 0, offset_h))
        bump = _bump(table, WIDTH, row_w, 0, offset_w)
        for plane in range(planes):
            weighted = multiply(bump, broadcast(load_scalar(weights, own + plane)))
            at, stride = _address_of(plane, top, left, height, width)
            for r in range(WIDTH):
                _add_product(canvas, at + r * stride, load_scalar(bump_h, r), weighted)
        return
    first_h, last_h = _needed(top, height, radius)
    first_w, last_w = _needed(left, width, radius)
    for p in range(first_h, last_h, WIDTH):
        store(bump_h, p, _bump(table, bump_width, row_h, p, offset_h))
    for q in range(first_w, last_w, 2 * WIDTH):  # two tiles side by side
        bump = _bump(table, bump_width, row_w, q, offset_w)
        after = broadcast(ZERO)
        if q + WIDTH < bump_width:
            after = _bump(table, bump_width, row_w, q + WIDTH, offset_w)
        for plane in range(planes):
            weight = broadcast(load_scalar(weights, own + plane))
            weighted, weighted_after = multiply(bump, weight), multiply(after, weight)
            at, stride = _address_of(plane, top + first_h, left + q, height, width)
            for p in range(first_h, last_h):
                factor = load_scalar(bump_h, p)
                _add_product(canvas, at, factor, weighted)
                _add_product(canvas, at + WIDTH, factor, weighted_after)
                at += stride


@inlined
def _add_product(canvas: Any, at: int, factor: np.float32, vector: Any) -> None:
    store(canvas, at, multiply_add(broadcast(factor), vector, load(canvas, at)))


@inlined
def _gather(
    h: float, w: float, height: int, width: int, radius: int, middles: Array, bump_width: int,
    table: Any, steepness: np.float32, canvas: Any, scratch: Any, weights: Array, adjoints: Array,
) -> tuple[np.float32, np.float32]:  # fmt: skip
    """The inner products of the canvases and the slopes, along h and w, of the bump of a point at (h, w).

    Canvases are weighted. The inner products of each and the bump itself are added to the adjoints.
    """
    top, row_h, offset_h, fraction_h = _locate(h, radius, middles)
    left, row_w, offset_w, fraction_w = _locate(w, radius, middles)
    first_h, last_h = _needed(top, height, radius)
    first_w, last_w = _needed(left, width, radius)
    if bump_width == WIDTH:
        first_h, last_h, first_w, last_w = 0, WIDTH, 0, WIDTH
    for p in range(first_h, last_h, WIDTH):
        bump = _bump(table, bump_width, row_h, p, offset_h)
        store(scratch, p, bump)
        store(scratch, bump_width + p, _slope(bump, steepness, p - radius + 1 - fraction_h))
    slope_h = slope_w = ZERO
    for q in range(first_w, last_w, WIDTH):
        bump = _bump(table, bump_width, row_w, q, offset_w)
        all_bumps, all_slopes = broadcast(ZERO), broadcast(ZERO)
        for plane in range(len(weights)):
            at, stride = _address_of(plane, top, left + q, height, width)
            if bump_width == WIDTH:
                bumps, slopes = _sum_rows(canvas, at, stride, scratch, WIDTH, 0, WIDTH, WIDTH)
            else:
                bumps, slopes = _sum_rows(canvas, at, stride, scratch, bump_width, first_h, last_h, 2)
            weight = broadcast(weights[plane])
            all_bumps, all_slopes = (
                multiply_add(weight, bumps, all_bumps),
                multiply_add(weight, slopes, all_slopes),
            )
            if plane > 0:
                adjoints[plane] += sum_elements(multiply(bumps, bump))
        slope_h += sum_elements(multiply(all_slopes, bump))
        slope_w += sum_elements(multiply(all_bumps, _slope(bump, steepness, q - radius + 1 - fraction_w)))
    return slope_h, slope_w


@inlined
def _sum_rows(
    canvas: Any, at: int, stride: int, scratch: Any, bump_width: int, first: int, last: int, unrolled: int
) -> tuple[Any, Any]:
    """The sums over rows of a canvas, for each of eight columns, times the bump along h and its slope."""
    bumps, slopes = broadcast(ZERO), broadcast(ZERO)
    for p in range(first, last, unrolled):
        for r in range(p, p + unrolled):
            cotangent = load(canvas, at + r * stride)
            bumps = multiply_add(broadcast(load_scalar(scratch, r)), cotangent, bumps)
            slopes = multiply_add(broadcast(load_scalar(scratch, bump_width + r)), cotangent, slopes)
    return bumps, slopes


@inlined
def _locate_points(
    number: int, positions: Array, radius: int, middles: Array, begins: Array, rows: Array, offsets: Array
) -> None:
    """Find where bumps lie along both axes, all [2, CHUNK], in a loop that LLVM vectorizes."""
    for axis in range(2):
        for j in range(number):
            begins[axis, j], rows[axis, j], offsets[axis, j], _ = _locate(positions[axis, j], radius, middles)


@inlined
def _locate(position: float, radius: int, middles: Array) -> tuple[Any, Any, np.float32, np.float32]:
    """Find where a bump lies along an axis.

    Return the pixel at which it begins, the row of the table, and the offsets of the point from the middle of
    that row and from the pixel before it.
    """
    pixel = np.int32(position)
    fraction = np.float32(position - pixel)
    row = np.int32(fraction * np.float32(len(middles) - 1))
    return pixel - np.int32(2 * radius - 1), row, fraction - middles[row], fraction


@inlined
def _needed(begin: int, length: int, radius: int) -> tuple[int, int]:
    """The range of the elements of a bump that reach the image, from the beginning of a tile on."""
    return max(-begin, 0) & -WIDTH, min(2 * radius, length - begin)


@inlined
def _bump_width(table: Array) -> Any:
    return table.shape[1] * WIDTH


@inlined
def _bump(table: Any, bump_width: int, row: int, element: int, offset: np.float32) -> Any:
    """The vector of a bump from an element on: the cubics of a row of the table, evaluated at an offset."""
    at, d = 4 * (bump_width * row + element), broadcast(offset)
    cubic = multiply_add(load(table, at + 3 * WIDTH), d, load(table, at + 2 * WIDTH))
    return multiply_add(multiply_add(cubic, d, load(table, at + WIDTH)), d, load(table, at))


@inlined
def _slope(bump: Any, steepness: np.float32, distance: np.float32) -> Any:
    """The slope 2 / tau * distance * bump of a vector of a bump, given the distance of its first pixel."""
    distances = multiply_add(
        lane_indices(), broadcast(steepness), broadcast(steepness * np.float32(distance))
    )
    return multiply(distances, bump)
