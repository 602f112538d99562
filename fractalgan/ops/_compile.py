"""Compilation by numba: on first use, cached on disk, and announced, as it takes a few seconds."""

import sys
from collections.abc import Callable
from typing import Any

import numba
from numba.core import event

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile on first use, and cache the result on disk if there is a writable folder for it."""
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # numba found no such folder
        return numba.njit(**_OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile into each kernel that calls the function."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


class _CompilationNotice(event.Listener):  # type: ignore[misc]
    """Tells the user, once, why the first image takes a few seconds."""

    printed = False

    def on_start(self, event: Any) -> None:
        module = event.data["dispatcher"].py_func.__module__
        if module.startswith(f"{__package__}.") and not self.printed:
            self.printed = True
            print("compiling the CPU renderer, once for this machine: a few seconds", file=sys.stderr)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _CompilationNotice())
