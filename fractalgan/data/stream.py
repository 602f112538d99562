"""An endless stream of training batches that can be entered at any batch."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from fractalgan.data.image_set import ImageSet
from fractalgan.randomness import generator_for

ORDER = 100  # what these random numbers are for: the last word of their key


class EndlessBatches(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches from shuffled passes over ``images``, one pass after the other, without end.

    What batch k holds follows from (seed, rank, k) alone, so a run that is resumed at k goes on as if
    it had never stopped, and any number of a loader's workers deliver the same. All ranks read one
    stream, each its own part. Batches are always full: one may end in the next pass, and a set smaller
    than a batch is gone through more than once.

    Args:
        images: the set.
        batch_size: images a batch and rank.
        seed: of the order.
        rank, world_size: of this process.
        first: the batch to begin with.
    """

    def __init__(
        self,
        images: ImageSet,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        first: int = 0,
    ) -> None:
        self.images = images
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.first = first

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()  # the loader takes a batch from each worker in turn
        batch, stride = (self.first, 1) if worker is None else (self.first + worker.id, worker.num_workers)
        known: dict[int, Tensor] = {}  # the orders of the passes that the batch lies in
        while True:
            begin = (batch * self.world_size + self.rank) * self.batch_size
            passes = range(begin // len(self.images), (begin + self.batch_size - 1) // len(self.images) + 1)
            known = {each: known[each] if each in known else self._order(each) for each in passes}
            skipped = begin - passes.start * len(self.images)
            indices = torch.cat([known[each] for each in passes])[skipped : skipped + self.batch_size]
            yield self._take(indices, batch)
            batch += stride

    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Batch number ``batch``: the images at ``indices``."""
        return self.images[indices]

    def _order(self, number: int) -> Tensor:
        return torch.randperm(len(self.images), generator=generator_for(self.seed, number, ORDER))
