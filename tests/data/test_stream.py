import itertools

import pytest
import torch

from fractalgan.data import EndlessBatches, ImageSet, StreamPosition
from fractalgan.randomness import RankShard


def numbered(count: int) -> ImageSet:
    """Images whose label is their index."""
    return ImageSet(torch.zeros(count, 1, 2, 2, dtype=torch.uint8), torch.arange(count))


def labels(stream: EndlessBatches, batches: int) -> list[list[int]]:
    return [batch[1].tolist() for batch in itertools.islice(stream, batches)]


@pytest.mark.parametrize(("count", "batch_size"), [(10, 3), (10, 10), (4, 9), (1, 3), (7, 1)])
def test_every_pass_holds_every_image_once(count: int, batch_size: int) -> None:
    batches = labels(EndlessBatches(numbered(count), batch_size), 3 * count)
    assert all(len(batch) == batch_size for batch in batches)
    flat = list(itertools.chain.from_iterable(batches))
    for first in range(0, 3 * count, count):
        assert sorted(flat[first : first + count]) == list(range(count))


def test_passes_differ_and_so_do_seeds() -> None:
    stream = labels(EndlessBatches(numbered(50), 50), 2)
    assert stream[0] != stream[1]
    assert labels(EndlessBatches(numbered(50), 50, StreamPosition(seed=1)), 1)[0] != stream[0]


@pytest.mark.parametrize("first", [1, 4, 17])
def test_stream_can_be_entered_at_any_batch(first: int) -> None:
    whole = labels(EndlessBatches(numbered(10), 3, StreamPosition(seed=5)), first + 4)
    assert labels(EndlessBatches(numbered(10), 3, StreamPosition(seed=5, first=first)), 4) == whole[first:]


def test_ranks_share_one_stream() -> None:
    alone = labels(EndlessBatches(numbered(20), 6), 5)
    ranks = [
        labels(EndlessBatches(numbered(20), 3, StreamPosition(shard=RankShard(rank, 2))), 5)
        for rank in range(2)
    ]
    assert [zero + one for zero, one in zip(*ranks, strict=True)] == alone
