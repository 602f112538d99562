"""An endless stream of training batches that can be entered at any batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, Self

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from fractalgan.data.image_set import ImageSet
from fractalgan.randomness import Purpose, RankShard, generator_for


class StreamPosition(NamedTuple):
    """Where in a stream a process reads.

    Args:
        seed: of the order of images.
        shard: this rank's rows of the batches that all ranks read together.
        first: number of the batch to begin with.
    """

    seed: int = 0
    shard: RankShard = RankShard()
    first: int = 0

    @classmethod
    def of(cls, seed: int, trainer: Trainer | None) -> Self:
        """The position of a trainer; the beginning if there is none."""
        if trainer is None:
            return cls(seed)
        # on resume the loops are restored by now, with the number of batches that were drawn
        first = trainer.fit_loop.epoch_loop.batch_progress.total.ready
        return cls(seed, RankShard(trainer.global_rank, trainer.world_size), first)


class EndlessStream(IterableDataset[tuple[Tensor, Tensor]], ABC):
    """Batches from shuffled passes over numbered items, one pass after the other, without end.

    Batch k follows from (seed, k) alone, so a run that is resumed at k reads what an uninterrupted one reads,
    and any number of a loader's workers deliver the same. All ranks read one stream, each its own rows of
    every batch, and together what one rank reads in batches as large as theirs together. Batches are always
    full: one may end in the next pass, and a set smaller than a batch is read more than once per batch.

    Args:
        total: number of items per pass.
        batch_size: items per batch and rank.
        position: where this process reads.
    """

    def __init__(self, total: int, batch_size: int, position: StreamPosition) -> None:
        self.total = total
        self.batch_size = batch_size
        self.position = position

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()  # the loader takes a batch from each worker in turn
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        (rank, world_size), total = self.position.shard, self.total
        batch = self.position.first + number
        orders: dict[int, Tensor] = {}  # of the passes that the batch is part of
        while True:
            begin = (batch * world_size + rank) * self.batch_size
            passes = range(begin // total, (begin + self.batch_size - 1) // total + 1)
            orders = {each: orders[each] if each in orders else self._order(each) for each in passes}
            end = begin + self.batch_size
            parts = [orders[each][max(0, begin - each * total) : end - each * total] for each in passes]
            yield self._take(torch.cat(parts), batch)
            batch += workers

    @abstractmethod
    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Batch number ``batch``: the items at ``indices``."""

    def _order(self, number: int) -> Tensor:
        """The order of the items in pass ``number``."""
        generator = generator_for(self.position.seed, number, Purpose.BATCH_ORDER)
        return torch.randperm(self.total, generator=generator)


class EndlessBatches(EndlessStream):
    """The stream of the images of a set.

    Args:
        images: the set.
        batch_size: images per batch and rank.
        position: where this process reads.
    """

    def __init__(
        self,
        images: ImageSet,
        batch_size: int,
        position: StreamPosition = StreamPosition(),  # noqa: B008
    ) -> None:
        super().__init__(len(images), batch_size, position)
        self.images = images

    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        return self.images[indices]


class SameTargets(IterableDataset[tuple[Tensor, Tensor]]):
    """The same batch again and again, without end.

    Args:
        targets: [n, C, H, W].
        rows: [n] their places among all targets.
    """

    def __init__(self, targets: Tensor, rows: Tensor) -> None:
        self.targets, self.rows = targets, rows

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield self.targets, self.rows
