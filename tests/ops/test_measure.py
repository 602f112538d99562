"""The measure of a fractal, and the tone of its picture."""

import math
from typing import Any

import pytest
import torch

from fractalgan.ops import (
    Fractals,
    Transforms,
    View,
    anderson_farrell,
    determinant_probabilities,
    measure,
    point_features,
    points_of_chains,
    random_features,
    rotation,
    set_render_threads,
    tone,
)
from fractalgan.ops._measure_kernel import chosen_transform
from tests.ops.test_pieces import equal, random_fractal, seeded, sierpinski
from tests.problems import correlation


def counted(points: torch.Tensor, view: View, size: int) -> torch.Tensor:
    """The share of points [T, 2] at each pixel, shared by distance among four: an independent reference."""
    pixels = ((points - torch.tensor(view.center)) / view.half + 1) / 2 * (size - 1)
    sums = torch.zeros(size, size, dtype=torch.float64)
    for place in (pixels.floor() + torch.tensor(step) for step in ((0, 0), (0, 1), (1, 0), (1, 1))):
        shares = (1 - (pixels - place).abs()).clamp_min(0).prod(1)
        inside = ((place >= 0) & (place < size)).all(1)
        rows, columns = place[inside].long().unbind(1)
        sums.index_put_((rows, columns), shares[inside].double(), accumulate=True)
    return sums / len(points)


def shares(*arguments: Any) -> torch.Tensor:
    """The shares of all points of the attractor at each pixel, and those times features."""
    sums, share = measure(*arguments)
    return sums.double() * share


def test_all_points_of_the_attractor_are_counted_once() -> None:
    sums = shares(sierpinski(), equal(3), View((0.5, 0.5), 0.6), 65, 100_000, seeded())
    assert sums.shape == (1, 65, 65)
    assert sums.sum().item() == pytest.approx(1, abs=1e-4)


def test_corner_of_the_triangle_looks_like_the_triangle_at_any_zoom() -> None:
    whole = shares(sierpinski(), equal(3), View((0.5, 0.5), 0.5), 64, 400_000, seeded())[0]
    for level in (3, 20, 39):
        half = 0.5 ** (level + 1)
        part = shares(sierpinski(), equal(3), View((half, half), half), 64, 800_000, seeded(1))[0]
        part, inner = part[:-1, :-1], whole[:-1, :-1]  # the last pixels also have points of other copies
        assert part.sum().item() == pytest.approx(3.0**-level * inner.sum().item(), rel=0.05)
        assert correlation(part, inner) > 0.97


def test_spiral_that_hardly_contracts_is_the_same_at_any_zoom() -> None:
    """A turn of 100 steps is 0.6 times as large as the one before, each step with 0.994 of the points."""
    contraction, turn = 0.995, 100
    angle = torch.tensor(2 * math.pi / turn, dtype=torch.float64)
    A = torch.stack([contraction * rotation(angle), 0.08 * torch.eye(2, dtype=torch.float64)])
    transforms = Transforms(A[None], torch.tensor([[[0.0, 0.0], [0.5, 0.8]]], dtype=torch.float64))
    probabilities = determinant_probabilities(A)
    picks = torch.multinomial(probabilities, 2_000_000, replacement=True, generator=seeded())
    points = points_of_chains(transforms, picks.view(1, 500, 4000))[0].view(500, 4000, 2)
    expected = counted(points[:, 1000:].flatten(0, 1), View((0.0, 0.0), 0.3), 24)
    for zoom in (1e4, 1e6):
        steps = turn * round(math.log(zoom) / -math.log(contraction) / turn)
        view = View((0.0, 0.0), 0.3 * contraction**steps)
        drawn = shares(Fractals.plain(transforms).one(0), probabilities, view, 24, 400_000, seeded(1))[0]
        drawn = drawn / probabilities[0] ** steps
        assert drawn.sum().item() == pytest.approx(expected.sum().item(), rel=0.1)
        assert correlation(drawn, expected) > 0.97


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_view_shows_what_the_chaos_game_draws_there(seed: int) -> None:
    fractal, window = random_fractal(seed), 1.5
    A, b = fractal.transforms
    probabilities = determinant_probabilities(A)
    picks = torch.multinomial(probabilities, 2_000_000, replacement=True, generator=seeded(seed))
    points = points_of_chains(Transforms(A[None], b[None]), picks.view(1, 2000, 1000))[0]
    for view in (View((0.0, 0.0), window), View(tuple(points[-1].tolist()), window / 8)):
        expected = counted(points, view, 24)
        drawn = shares(fractal, probabilities, view, 24, 2_000_000, seeded())[0]
        assert drawn.sum().item() == pytest.approx(expected.sum().item(), rel=0.05)
        assert correlation(drawn, expected) > 0.97


def test_features_are_those_of_the_points() -> None:
    transforms = Transforms(*(each.double() for each in anderson_farrell(1, 4, seeded(3))))
    features = random_features(transforms.b, 3, seeded(4))._replace(blend=torch.full((1, 4), 0.4).double())
    fractal = Fractals(transforms, features)
    probabilities = equal(4)
    sequences = torch.randint(4, (400, 500), generator=seeded(5))
    points = points_of_chains(transforms, sequences[None])[0]
    colors = point_features(features, torch.zeros(400, dtype=torch.long), sequences).flatten(0, 1)
    for view in (View((0.0, 0.0), 3.0), View(tuple(points[-1].tolist()), 0.2)):
        sums = shares(fractal.one(0), probabilities, view, 16, 400_000, seeded())
        mean = sums[1:].sum((1, 2)) / sums[0].sum()
        inside = ((points - torch.tensor(view.center)).abs() <= view.half).all(1)
        assert torch.allclose(mean.double(), colors[inside].mean(0), atol=0.03)


def test_same_bits_for_any_number_of_threads_and_other_noise_for_another_seed() -> None:
    view = View((0.3, 0.3), 0.1)
    drawn = []
    for threads in (1, 3):
        set_render_threads(threads)
        drawn.append(shares(sierpinski(), equal(3), view, 32, 10_000, seeded()))
    set_render_threads(None)
    other = shares(sierpinski(), equal(3), view, 32, 10_000, seeded(1))
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(other)


@pytest.mark.parametrize("number", [1, 2, 128, 129, 130, 3000])
def test_transform_is_the_first_whose_cumulative_probability_is_above_a_number(number: int) -> None:
    likely = torch.rand(number, generator=seeded(), dtype=torch.float64).pow(4).sort(descending=True).values
    likely[number - number // 3 :] = 0
    cumulative = (likely / likely.sum()).cumsum(0).numpy()
    uniform = torch.rand(2000, generator=seeded(1), dtype=torch.float64).tolist()
    for each in [0.0, *uniform, *cumulative[:100].tolist(), 1.0]:
        above = (each < cumulative).nonzero()[0]
        assert chosen_transform(cumulative, each) == (above[0] if len(above) else number - 1)


def test_view_of_nothing_is_empty() -> None:
    sums = shares(sierpinski(), equal(3), View((40.0, 0.0), 1.0), 8, 1000, seeded())
    assert sums.shape == (1, 8, 8)
    assert not sums.any()
    assert not tone(sums).alpha.any()


def test_diverged_fractal_draws_nothing_that_is_not_finite() -> None:
    A = torch.eye(2).double().expand(2, 2, 2) * 3
    fractal = Fractals.plain(Transforms(A[None], torch.ones(1, 2, 2).double())).one(0)
    assert shares(fractal, equal(2), View((0.0, 0.0), 1.0), 8, 1000, seeded()).isfinite().all()


def test_tone_is_the_logarithm_of_density_relative_to_the_white_point() -> None:
    share = torch.zeros(1, 40, 40)
    share[0, :10] = torch.linspace(1, 400, 400).view(10, 40)
    white = share[share > 0].quantile(0.95).item()
    alpha = tone(share * 1e-9).alpha
    for row, column in ((0, 0), (3, 7), (9, 39)):
        expected = min(1.0, math.log1p(50 * share[0, row, column].item() / white) / math.log(51))
        assert alpha[row, column].item() == pytest.approx(expected, rel=1e-5)
    assert not alpha[10:].any()


def test_layer_is_placed_on_its_background() -> None:
    sums = torch.zeros(4, 4, 4)
    sums[:, 0, 0] = torch.tensor([0.5, 0.5, 0.25, 0.0])  # one pixel of the color (1, 0.5, 0)
    layer = tone(sums)
    image = layer.on(torch.tensor([0.0, 1.0, 1.0]))
    assert torch.allclose(image[:, 0, 0], torch.tensor([1.0, 0.5, 0.0]))
    assert torch.allclose(image[:, 2, 2], torch.tensor([0.0, 1.0, 1.0]))
    small = layer.smaller(2).on(torch.tensor([0.0, 1.0, 1.0]))
    assert torch.allclose(small[:, 0, 0], torch.tensor([0.25, 0.875, 0.75]))
