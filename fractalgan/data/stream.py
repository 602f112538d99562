"""An endless stream of training batches that can be entered at any batch."""

from collections.abc import Iterator
from typing import NamedTuple, Self

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from fractalgan.data.image_set import ImageSet
from fractalgan.randomness import Share, generator_for

ORDER = 100  # what these random numbers are for: the last word of their key


class Place(NamedTuple):
    """Where in a stream a process reads."""

    seed: int = 0  # of the order
    rank: int = 0
    world_size: int = 1
    first: int = 0  # the batch to begin with

    @property
    def share(self) -> Share:
        """Its part of random numbers that all processes draw."""
        return Share(self.rank, self.world_size)

    @classmethod
    def of(cls, seed: int, trainer: Trainer | None) -> Self:
        """Where a trainer is; the beginning where there is none."""
        if trainer is None:
            return cls(seed)
        # on resume the loops are restored by now, with the number of batches that were drawn
        first = trainer.fit_loop.epoch_loop.batch_progress.total.ready
        return cls(seed, trainer.global_rank, trainer.world_size, first)


class EndlessBatches(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches from shuffled passes over ``images``, one pass after the other, without end.

    What batch k holds follows from (seed, k) alone, so a run that is resumed at k goes on as if it had never
    stopped, and any number of a loader's workers deliver the same. All ranks read one stream, each its own
    part, and together what one rank reads in batches of their sizes together. Batches are always full: one
    may end in the next pass, and a set smaller than a batch is gone through more than once.

    Args:
        images: the set.
        batch_size: images a batch and rank.
        place: where this process reads, and from which batch on.
    """

    def __init__(self, images: ImageSet, batch_size: int, place: Place = Place()) -> None:  # noqa: B008
        self.images = images
        self.batch_size = batch_size
        self.place = place

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()  # the loader takes a batch from each worker in turn
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        batch = self.place.first + number
        known: dict[int, Tensor] = {}  # the orders of the passes that the batch lies in
        while True:
            begin = (batch * self.place.world_size + self.place.rank) * self.batch_size
            passes = range(begin // len(self.images), (begin + self.batch_size - 1) // len(self.images) + 1)
            known = {each: known[each] if each in known else self._order(each) for each in passes}
            skipped = begin - passes.start * len(self.images)
            indices = torch.cat([known[each] for each in passes])[skipped : skipped + self.batch_size]
            yield self._take(indices, batch)
            batch += workers

    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Batch number ``batch``: the images at ``indices``."""
        return self.images[indices]

    def _order(self, number: int) -> Tensor:
        return torch.randperm(len(self.images), generator=generator_for(self.place.seed, number, ORDER))
