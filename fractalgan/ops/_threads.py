"""A batch in pieces on several threads, for kernels that let go of the interpreter's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch

LARGEST_PIECE = 32  # images: small enough to share out, large enough to be worth a call

_wanted: tuple[int, int] | None = None  # the process that asked, how many it wants


def set_render_threads(count: int | None) -> None:
    """Draw on so many threads of a CPU in this process; None: on as many as torch uses."""
    global _wanted
    _wanted = None if count is None else (os.getpid(), count)


def render_threads() -> int:
    """On how many threads of a CPU is drawn. Images and gradients are the same to the bit for any number."""
    if _wanted is not None and _wanted[0] == os.getpid():
        return _wanted[1]
    return torch.get_num_threads()


def in_pieces(work: Callable[[int, int], None], count: int) -> None:
    """Call ``work(first, last)`` for pieces that together are 0..count-1, each once, in any order.

    On :func:`render_threads` threads, the caller's own among them; each takes the next piece when it is
    done with one, so a busy core delays nobody. Safe from several threads at once, which share the
    helpers, and in a forked process, which gets its own.
    """
    threads = render_threads()
    size = max(1, min(LARGEST_PIECE, -(-count // (4 * threads))))
    pieces = iter(range(0, count, size))

    def take() -> None:
        for first in pieces:
            work(first, min(first + size, count))

    number = min(threads, -(-count // size)) - 1
    helpers = [_pool(threads - 1, os.getpid()).submit(take) for _ in range(number)]
    try:
        take()
    finally:
        for _ in pieces:
            pass  # after an error nobody is to begin another
        # one that never began, as others kept the helpers busy, has nothing left to do
        running = [helper for helper in helpers if not helper.cancel()]
        for helper in running:
            helper.result()


@lru_cache(maxsize=1)
def _pool(threads: int, _process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="fractalgan")
