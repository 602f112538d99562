"""Index sequences, random and even."""

import pytest
import torch
from torch import Tensor

from fractalgan.ops import (
    SequenceKind,
    _fused,
    determinant_probabilities,
    draw_sequences,
    even_sequences_from_uniform,
    render,
    uniform_probabilities,
)
from tests.problems import random_fractals


@pytest.mark.parametrize("kind", ["random", "even"])
def test_sequences_follow_the_probabilities(kind: SequenceKind) -> None:
    p = torch.tensor([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]])
    z = draw_sequences(p, torch.tensor([0, 1]), 20_000, torch.Generator().manual_seed(0), kind)
    shares = torch.stack([torch.bincount(row, minlength=3) / 20_000 for row in z])
    torch.testing.assert_close(shares, p, atol=0.02, rtol=0)
    assert (z[1] == 1).all()


@pytest.mark.parametrize("kind", ["random", "even"])
def test_same_seed_yields_the_same_sequences(kind: SequenceKind) -> None:
    p = torch.rand(3, 10)
    share = p / p.sum(-1, keepdim=True)
    first, second = (
        draw_sequences(share, torch.arange(3), 50, torch.Generator().manual_seed(7), kind) for _ in range(2)
    )
    assert first.equal(second)
    assert first.min() >= 0
    assert first.max() <= 9


@pytest.mark.parametrize("kind", ["random", "even"])
@pytest.mark.parametrize("num_transforms", [1, 2, 10])
def test_sequences_do_not_depend_on_the_backend(
    num_transforms: int, kind: SequenceKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    A = random_fractals(4, num_transforms).A.float()
    A[1, 0] = 0  # a transform of probability 0
    p, fractals = determinant_probabilities(A), torch.arange(40) % 4
    fused = draw_sequences(p, fractals, 500, torch.Generator().manual_seed(3), kind)
    monkeypatch.setattr(_fused, "best_backend", lambda _: None)
    monkeypatch.setattr(_fused, "unavailable_reason", lambda _: "not installed")
    plain = draw_sequences(p, fractals, 500, torch.Generator().manual_seed(3), kind)
    assert fused.equal(plain)
    assert fused.dtype == plain.dtype == torch.long
    if num_transforms > 1:
        assert not (fused[fractals == 1] == 0).any()


def count_words(sequence: Tensor, length: int, number: int) -> Tensor:
    """How often each word of ``length`` transforms occurs in a sequence [T] read as a circle."""
    words = sum(sequence.roll(-k) * number**k for k in range(length))
    assert isinstance(words, Tensor)
    return torch.bincount(words, minlength=number**length)


def even(number: int, length: int, batch: int = 20) -> Tensor:
    p = torch.full((1, number), 1 / number)
    return draw_sequences(
        p, torch.zeros(batch, dtype=torch.long), length, torch.Generator().manual_seed(0), "even"
    )


@pytest.mark.parametrize(("number", "length", "exact"), [(10, 300, 2), (10, 1000, 3), (2, 64, 6), (3, 54, 3)])
def test_every_word_occurs_equally_often(number: int, length: int, exact: int) -> None:
    for sequence in even(number, length):
        for words in range(1, exact + 1):
            assert (count_words(sequence, words, number) == length // number**words).all()


@pytest.mark.parametrize(("number", "length"), [(10, 305), (7, 300), (10, 42), (3, 4), (1, 5)])
def test_counts_of_any_other_length_are_nearly_equal(number: int, length: int) -> None:
    for sequence in even(number, length):
        single, pairs = (count_words(sequence, words, number) for words in (1, 2))
        assert (single - length / number).abs().max() < 1
        assert (pairs - length / number**2).abs().max() < 2


def test_even_sequence_begins_after_the_first_transform() -> None:
    """Whose fixed point is v(0): so the pair of both counts."""
    assert (even(10, 300)[:, -1] == 0).all()


def test_even_sequences_differ() -> None:
    sequences = even(10, 300, batch=200)
    assert len(sequences.unique(dim=0)) == 200
    first = torch.bincount(sequences[:, 0], minlength=10)
    assert first.min() >= 8  # of 20 expected
    assert first.max() <= 35


def test_pairs_of_unequal_probabilities_are_much_closer_to_their_product_than_in_random_sequences() -> None:
    p = torch.rand(50, 6, generator=torch.Generator().manual_seed(1))
    share = p / p.sum(1, keepdim=True)
    expected = 600 * (share.unsqueeze(2) * share.unsqueeze(1)).flatten(1)
    errors = {}
    kinds: list[SequenceKind] = ["random", "even"]
    for kind in kinds:
        z = draw_sequences(p, torch.arange(50), 600, torch.Generator().manual_seed(0), kind)
        single = torch.stack([torch.bincount(each, minlength=6) for each in z])
        # the second transform of a pair is the first factor of the product, which is symmetric
        pairs = torch.stack([count_words(each, 2, 6) for each in z])
        errors[kind] = (pairs - expected).square().mean().sqrt()
        if kind == "even":
            assert (single - 600 * share).abs().max() < 1 + 1e-3
    assert errors["even"] < errors["random"] / 4


def test_transform_of_probability_zero_is_never_used() -> None:
    p = torch.tensor([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]])
    z = draw_sequences(p, torch.arange(3), 100, kind="even")
    assert [sorted(set(row.tolist())) for row in z] == [[1, 2], [0, 2], [0]]


def test_probabilities_that_are_not_finite_give_valid_indices() -> None:
    p = torch.tensor([[torch.nan, 0.5], [torch.inf, 1.0], [0.0, 0.0]])
    z = draw_sequences(p, torch.arange(3), 50, kind="even")
    assert z.min() >= 0
    assert z.max() <= 1


def test_images_of_even_sequences_vary_less() -> None:
    transforms = random_fractals(4, 10)
    fractals = torch.arange(4).repeat_interleave(30)
    spread = {}
    kinds: list[SequenceKind] = ["random", "even"]
    for kind in kinds:
        z = draw_sequences(
            uniform_probabilities(transforms.A), fractals, 300, torch.Generator().manual_seed(0), kind
        )
        images = render(transforms, fractals, z, size=(32, 32), window=2.5).view(4, 30, 32, 32)
        spread[kind] = images.var(1).mean()
    assert spread["even"] < 0.7 * spread["random"]


def test_empty_batch_and_empty_sequences() -> None:
    p = torch.full((1, 3), 1 / 3)
    assert even_sequences_from_uniform(p, torch.zeros(0, dtype=torch.long), torch.rand(0, 7)).shape == (0, 7)
    assert even_sequences_from_uniform(p, torch.zeros(2, dtype=torch.long), torch.rand(2, 0)).shape == (2, 0)
