"""Images that are drawn along several index sequences, which are called chains."""

import pytest
import torch

from fractalgan.ops import Transforms, _numba, fixed_point, render, start_points
from tests.ops.cases import Case, every_backend, problem


@every_backend
def test_one_chain_equals_one_sequence(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(batch=3), backend)
    one, chain = (render(transforms, fractals, each, **view, backend=backend) for each in (z, z.unsqueeze(1)))
    assert one.equal(chain)
    gradients = (torch.autograd.grad(each.square().sum(), transforms) for each in (one, chain))
    for first, second in zip(*gradients, strict=True):
        assert first.equal(second)


@every_backend
def test_cut_sequence_draws_the_same_points_once_each_chain_starts_where_the_other_ends(backend: str) -> None:
    """With the true points as starts; the default ones are near them."""
    transforms, fractals, z, view = problem(Case(batch=2, num_points=120), backend)
    whole = render(transforms, fractals, z, **view, backend=backend)
    start = start_points(transforms, fractals)
    starts = [start]
    for t in range(90):
        A, b = (each.detach()[fractals, z[:, t]] for each in transforms)
        start = (A @ start.unsqueeze(-1)).squeeze(-1) + b
        if t % 30 == 29:
            starts.append(start)
    cut = render(
        transforms, fractals, z.view(2, 4, 30), **view, start=torch.stack(starts, 1), backend=backend
    )
    torch.testing.assert_close(cut, whole, atol=1e-4, rtol=0)


def test_chain_starts_at_the_fixed_point_of_the_transform_before_it() -> None:
    transforms, fractals, z, _ = problem(Case(batch=4, chains=3))
    start = start_points(transforms, fractals, z)
    fixed = fixed_point(*transforms)
    assert start[:, 0].equal(start_points(transforms, fractals))
    for image, fractal in enumerate(fractals.tolist()):
        for chain in (1, 2):
            assert start[image, chain].equal(fixed[fractal, z[image, chain - 1, -1]])


def test_batch_is_drawn_in_parts_of_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    transforms, fractals, z, view = problem(Case(chains=8, num_points=200, batch=7), "numba")
    whole = render(transforms, fractals, z, **view)
    monkeypatch.setattr(_numba, "PART_BYTES", 2 * 4 * 8 * 32 * 32)
    parts = [*_numba._parts(len(whole), 8 * 32 * 32)]
    assert [len(whole[part]) for part in parts] == [2, 2, 2, 1]
    assert render(transforms, fractals, z, **view).equal(whole)


@every_backend
def test_index_out_of_range_in_a_later_chain(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(chains=3, batch=2), backend)
    z[1, 2, 5] = 5
    if backend == "triton":  # leaves such points out, and those after them
        z[1, 2, 6:] = 5
        image = render(transforms, fractals, z, **view, backend=backend)[1]
        start = start_points(transforms, fractals, z)[1:, 2]
        rest = render(transforms, fractals[1:], z[1:, :2], **view, backend=backend)
        end = render(transforms, fractals[1:], z[1:, 2, :5], **view, start=start, backend=backend)
        torch.testing.assert_close(image, (rest + end)[0].clamp_max(1), atol=1e-5, rtol=0)
    else:
        with pytest.raises(IndexError, match=r"sequences must be in \[0, 4\], got 5"):
            render(transforms, fractals, z, **view, backend=backend)


def test_shapes_are_checked() -> None:
    transforms, fractals, z, view = problem(Case(chains=3, batch=2))
    transforms = Transforms(*(each.detach() for each in transforms))
    with pytest.raises(ValueError, match=r"must have C, T >= 1, got \[2, 0, 30\]"):
        render(transforms, fractals, z[:, :0], **view)
    with pytest.raises(ValueError, match=r"start must be \[2, 3, 2\], got \[2, 2\]"):
        render(transforms, fractals, z, **view, start=torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"sequences \[B, T\] or \[B, C, T\], got \[2\] and \[2, 1, 3, 30\]"):
        render(transforms, fractals, z.unsqueeze(1), **view)
