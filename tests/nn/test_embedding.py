"""FractalEmbedding: learnable fractals side by side."""

import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding
from fractalgan.ops import Transforms, anderson_farrell


def start(num_fractals: int = 6) -> Transforms:
    return anderson_farrell(num_fractals, 5, torch.Generator().manual_seed(0))


def test_raw_embedding_begins_at_the_given_transforms() -> None:
    A, b = FractalEmbedding(start(), "raw")()
    assert A.equal(start().A)
    assert b.equal(start().b)


def test_embedding_knows_its_size() -> None:
    embedding = FractalEmbedding(start())
    assert (len(embedding), embedding.num_fractals, embedding.num_transforms) == (6, 6, 5)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("clamp", "num_fractals=6, num_transforms=5, matrices='clamp', sigma_range=(0.1, 0.8)"),
        ("raw", "num_fractals=6, num_transforms=5, matrices='raw'"),
    ],
)
def test_repr_shows_size_and_form(form, expected: str) -> None:
    assert FractalEmbedding(start(), form, (0.1, 0.8)).extra_repr() == expected


def test_perturbation_moves_every_parameter_and_is_repeatable() -> None:
    first, second, still = (FractalEmbedding(start(), "sigmoid") for _ in range(3))
    for embedding in (first, second):
        embedding.perturb_(0.1, torch.Generator().manual_seed(4))
    for one, two, zero in zip(first.parameters(), second.parameters(), still.parameters(), strict=True):
        assert one.equal(two)
        assert 0.05 < (one - zero).std() < 0.15


def test_perturbation_keeps_clamped_sigma_in_range() -> None:
    embedding = FractalEmbedding(start(), "clamp", (0.0, 1.0))
    embedding.perturb_(3.0)
    scale = embedding.matrices.get_parameter("scale")
    assert scale.min() >= 0
    assert scale.max() <= 1


def test_transforms_are_computed_in_full_precision_under_autocast() -> None:
    embedding = FractalEmbedding(start())
    with torch.autocast("cpu", torch.bfloat16):
        A, _ = embedding()
    assert A.equal(embedding().A)


def test_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="matrices must be one of sigmoid, clamp, unbounded, raw"):
        FractalEmbedding(start(), "linear")  # type: ignore[arg-type]


def test_relative_tau_is_part_of_the_state_but_not_learned() -> None:
    multiples = torch.tensor([0.5, 1.0, 2.0, 1.0, 1.0, 4.0])
    assert FractalEmbedding(start(), relative_tau=multiples).state_dict()["relative_tau"].equal(multiples)
    assert "relative_tau" not in FractalEmbedding(start()).state_dict()
    assert all(
        "tau" not in name for name, _ in FractalEmbedding(start(), relative_tau=multiples).named_parameters()
    )
