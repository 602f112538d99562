"""Compile every Triton kernel for an H100 and print its name; run in a process without the interpreter."""

import warnings

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from fractalgan.ops import _triton, _triton_features, _triton_kernels

FLOATS = (
    "transforms", "start", "images", "cotangent", "slopes", "per_chain", "gradient", "sums", "carried",
    "features", "of_features", "of_carried",
)  # fmt: skip
POINTERS = dict.fromkeys(FLOATS, "*fp32") | {
    "points": "*fp64", "fractals": "*i64", "sequences": "*i64", "order": "*i64", "cells": "*i32",
    "bounds": "*i64", "window": "*fp64", "tau": "fp32", "reach": "fp32",
}  # fmt: skip
CONSTANTS = {"LANES": 32, "TILE": 16, "CELL": 8, "CHUNK": 32, "COLUMNS": 8, "ROWS": 16, "COUNT": 64}
KERNELS = (
    "iterate", "carry", "assign_cells", "splat", "gather", "walk_back", "carry_back", "sum_by_transform",
    "sum_by_fractal",
)  # fmt: skip

warnings.simplefilter("error")
for kernel_name in KERNELS:
    room = _triton_features if kernel_name.startswith("carry") else _triton_kernels
    kernel = getattr(room, kernel_name)
    names = kernel.arg_names
    signature = {name: "constexpr" if name in CONSTANTS else POINTERS.get(name, "i32") for name in names}
    constants = {(names.index(name),): CONSTANTS[name] for name in names if name in CONSTANTS}
    source = ASTSource(kernel, signature, constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=_triton.OPTIONS)
    assert compiled.asm["cubin"]
    print(kernel.__name__)
