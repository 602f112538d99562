"""Parallel loops over a batch, for kernels that release the global interpreter lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch

MAX_CHUNK = 32  # images: small enough to balance the load, large enough to be worth a call

_requested: tuple[int, int] | None = None  # process id and number of threads, as of set_render_threads


def set_render_threads(count: int | None) -> None:
    """Set the number of CPU threads of :func:`render`'s numba backend in this process.

    Args:
        count: the number of threads, >= 1; None for as many as PyTorch uses, which is the default.

    Raises:
        ValueError: if ``count`` is less than 1.
    """
    global _requested
    if count is not None and count < 1:
        raise ValueError(f"count must be >= 1, got {count}")
    _requested = None if count is None else (os.getpid(), count)


def render_threads() -> int:
    """The number of CPU threads of :func:`render`'s numba backend, whose results do not depend on it."""
    if _requested is not None and _requested[0] == os.getpid():
        return _requested[1]
    return torch.get_num_threads()


def parallel_for(work: Callable[[int, int], None], count: int) -> None:
    """Call ``work(first, last)`` for ranges that together cover 0..count-1, each once, in any order.

    It uses :func:`render_threads` threads, including the calling one. Each takes the next range as soon
    as it has finished one, so a busy core does not delay the others. It may be called from several
    threads at once, which share the helper threads, and from a forked process, which gets its own.
    """
    threads = render_threads()
    size = max(1, min(MAX_CHUNK, -(-count // (4 * threads))))
    chunks = iter(range(0, count, size))

    def take_chunks() -> None:
        for first in chunks:
            work(first, min(first + size, count))

    num_helpers = min(threads, -(-count // size)) - 1
    helpers = [_pool(threads - 1, os.getpid()).submit(take_chunks) for _ in range(num_helpers)]
    try:
        take_chunks()
    finally:
        for _ in chunks:
            pass  # after an error, no thread must start another chunk
        # a helper that has not started, because others keep the pool busy, has nothing left to do
        running = [helper for helper in helpers if not helper.cancel()]
        for helper in running:
            helper.result()


@lru_cache(maxsize=1)
def _pool(threads: int, _process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="fractalgan")
