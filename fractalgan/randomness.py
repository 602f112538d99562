"""Random numbers that follow from a key such as (seed, step, purpose), not from what was drawn before."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import IntEnum
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

ALL_RANKS = 0  # the word of a key for numbers that all ranks draw, each to keep its own rows


class Purpose(IntEnum):
    """What random numbers are for: the last word of their key. Values are part of the results' bits."""

    GAN_INITIAL = 0  # the first fractals, and the order of fractals in a batch
    GAN_TRAINING = 1
    GAN_NOISE = 2
    GAN_VALIDATION = 3
    GALLERY = 4
    PREDICTION = 5
    BATCH_ORDER = 100
    PSEUDO_CLASS_FRACTALS = 200
    PSEUDO_CLASS_TRAINING = 201
    PSEUDO_CLASS_FRESH = 202
    PSEUDO_CLASS_VALIDATION = 203
    PROBE_LABELS = 300
    JUDGE_WEIGHTS = 400
    JUDGE_BATCH = 401
    KID_SUBSETS = 402
    SCORE_WEIGHTS = 403
    SCORE_IMAGES = 404
    FRACTALDB_SIZES = 600
    FRACTALDB_TRANSFORMS = 601
    FRACTALDB_POINTS = 602
    TARGET_CHOICE = 610
    EXEMPLARS = 611
    RECONSTRUCTION_INITIAL = 620
    RECONSTRUCTION_TRAINING = 621
    RECONSTRUCTION_FIXED = 622
    RECONSTRUCTION_NOISE = 623
    RECONSTRUCTION_EVALUATION = 624
    RECONSTRUCTION_GALLERY = 625
    RECONSTRUCTION_COLLAGE = 626
    RANDOM_FRACTALS = 640
    RANDOM_FRACTALS_FILLING = 641
    RANDOM_FRACTALS_TRAINING = 642
    RANDOM_FRACTALS_VALIDATION = 643
    AUTOENCODER_TRAINING = 660
    AUTOENCODER_EVALUATION = 661
    NETWORK_WEIGHTS = 680
    AUGMENTATION = 681
    MIXING = 682
    RANDOM_LAYERS = 683
    DISTILLATION = 690
    DISTILLATION_NETWORK = 691
    DISTILLATION_EVALUATION = 692
    PICTURES = 700


def generator_for(*key: int) -> torch.Generator:
    """A CPU generator seeded by the whole key; keys that differ anywhere give unrelated streams.

    The last word of a key is a :class:`Purpose`: two uses at one step need two keys.

    Example:
        >>> torch.rand(2, generator=generator_for(seed, step, Purpose.GAN_TRAINING))
    """
    state = 0
    for word in key:
        state = _mix(state ^ _mix(word))
    return torch.Generator().manual_seed(state)


def rows_for(draw: Callable[..., Tensor], keys: Iterable[tuple[int, ...]], *shape: int) -> Tensor:
    """Random numbers [keys, *shape] from ``torch.rand`` or ``torch.randn``, each row from its own key."""
    return torch.stack([draw(shape, generator=generator_for(*key)) for key in keys])


class RankShard(NamedTuple):
    """The rows of a global batch that belong to one rank."""

    rank: int = 0
    world_size: int = 1

    def of(self, rows: Tensor) -> Tensor:
        """This rank's block of rows [world_size * n, ...] that are the same on all ranks."""
        return rows.chunk(self.world_size)[self.rank]


class RandomSource(NamedTuple):
    """A generator and the rows that this rank keeps of what it draws.

    All ranks draw the numbers of the global batch from equal generators, so what is learned does not
    depend on the number of ranks that share a batch.

    Args:
        generator: on the CPU or the device of the numbers; None is torch's global one.
        shard: this rank's rows.
    """

    generator: torch.Generator | None = None
    shard: RankShard = RankShard()

    @classmethod
    def of(cls, source: "RandomSource | torch.Generator | None") -> Self:
        """A RandomSource as it is; a generator for a single rank."""
        return source if isinstance(source, cls) else cls(source)  # type: ignore[arg-type]

    def rand(self, rows: int, *shape: int, **options: Any) -> Tensor:
        """This rank's rows ``[rows, *shape]``, uniform in [0, 1); ``options`` are those of ``torch.rand``."""
        return self._draw(torch.rand, rows, *shape, **options)

    def randn(self, rows: int, *shape: int, **options: Any) -> Tensor:
        """This rank's rows ``[rows, *shape]``, standard normal; ``options`` are those of ``torch.randn``."""
        return self._draw(torch.randn, rows, *shape, **options)

    def _draw(self, draw: Callable[..., Tensor], rows: int, *shape: int, **options: Any) -> Tensor:
        total = self.shard.world_size * rows
        return self.shard.of(draw(total, *shape, generator=self.generator, **options))


@contextmanager
def torch_seeded(*key: int) -> Iterator[None]:
    """Seed torch's global generator by the key within the context, and restore its state after it."""
    with torch.random.fork_rng():
        torch.manual_seed(generator_for(*key).initial_seed())
        yield


def same_weights() -> AbstractContextManager[None]:
    """A context in which the weights of a network follow from the global seed alone.

    It is for networks that are made in ``setup``, when processes have drawn different numbers already.
    """
    return torch_seeded(torch.initial_seed(), Purpose.NETWORK_WEIGHTS)


def _mix(word: int) -> int:
    """One round of SplitMix64 (Steele et al., OOPSLA 2014): a bijection on 64 bits that scatters them."""
    word = (word + 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)
