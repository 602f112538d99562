"""Eight float32 numbers side by side, for numba: what one vector instruction works on.

numba leaves vectors to LLVM's own search for them, which gives up where two arrays might overlap,
and counts references wherever an array is handed on. Kernels that are written with lanes and plain
pointers become the instructions that they read like. A machine with narrower registers takes two.
"""

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

WIDTH = 8

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
    return builder.load(_place(builder, start, index), align=4)


@_instruction(types.void, _pointer, types.intp, _lanes)
def store(builder: Any, start: Any, index: Any, lanes: Any) -> None:
    """Write the lanes to ``start[index]`` and on."""
    builder.store(lanes, _place(builder, start, index), align=4)


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


def _place(builder: Any, start: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(start, [index]), _VECTOR.as_pointer())


def _order(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), lanes)
