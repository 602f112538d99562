"""Random generators that follow from a key such as (seed, step), not from what happened before."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

TOGETHER = 0  # the word of a key for numbers that all processes draw, each to take its share


def generator_for(*key: int) -> torch.Generator:
    """A CPU generator seeded by the whole key; keys that differ anywhere give unrelated streams.

    The last words of the key say what the numbers are for: two uses at one step need two keys.
    """
    state = 0
    for word in key:
        state = _mix(state ^ _mix(word))
    return torch.Generator().manual_seed(state)


def rows_for(draw: Callable[..., Tensor], keys: Iterable[tuple[int, ...]], *shape: int) -> Tensor:
    """Random numbers [keys, *shape] of ``torch.rand`` or ``torch.randn``, each row from its own key."""
    return torch.stack([draw(shape, generator=generator_for(*key)) for key in keys])


class Share(NamedTuple):
    """One process's block of what several draw together: the numbers of one process with all their rows.

    So what is learned does not depend on how many processes share a batch of a size.
    """

    rank: int = 0
    processes: int = 1

    def of(self, rows: Tensor) -> Tensor:
        """This process's block of rows [processes * n, ...] that are the same everywhere."""
        return rows.chunk(self.processes)[self.rank]

    def draw(self, draw: Callable[..., Tensor], rows: int, *shape: int, **options: Any) -> Tensor:
        """Its block [rows, *shape] of ``torch.rand`` or ``torch.randn``; all give the same generator."""
        return self.of(draw(self.processes * rows, *shape, **options))


@contextmanager
def torch_seeded(*key: int) -> Iterator[None]:
    """Have torch's own numbers follow from the key inside, and go on as before after it."""
    with torch.random.fork_rng():
        torch.manual_seed(generator_for(*key).initial_seed())
        yield


def _mix(word: int) -> int:
    """One round of SplitMix64 (Steele et al., OOPSLA 2014): a bijection of 64 bits that scatters them."""
    word = (word + 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)
