"""FractalGenerator: fractals as images."""

import pickle
from pathlib import Path

import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.limits import MAX_SIZES
from fractalgan.nn import FractalEmbedding, FractalGenerator, points_for, tau_for
from fractalgan.ops import Transforms, anderson_farrell
from fractalgan.randomness import RandomSource, RankShard


def start(num_fractals: int = 6) -> Transforms:
    return anderson_farrell(num_fractals, 5, torch.Generator().manual_seed(0))


def small_generator(**options) -> FractalGenerator:
    return FractalGenerator(FractalEmbedding(start()), **{"image_size": 20, "num_points": 100} | options)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_generator_draws_grayscale_images_of_each_fractal() -> None:
    generator = FractalGenerator(FractalEmbedding(start()), image_size=20, num_points=100)
    fractals = torch.tensor([5, 0, 5])
    images = generator(fractals, generator.draw_sequences(fractals))
    assert images.shape == (3, 1, 20, 20)
    assert images.min() >= 0
    assert images.max() <= 1
    assert (images[0] - images[2]).abs().mean() < (images[0] - images[1]).abs().mean()


def test_only_the_fractals_that_are_drawn_get_a_gradient() -> None:
    generator = FractalGenerator(FractalEmbedding(start()), num_points=50)
    fractals = torch.tensor([1, 3])
    generator(fractals, generator.draw_sequences(fractals)).sum().backward()
    moved = generator.embedding.b.grad.abs().flatten(1).sum(1) > 0
    assert moved.tolist() == [False, True, False, True, False, False]


@pytest.mark.parametrize("window", [2.0, 5.0])
@pytest.mark.parametrize(("b", "spread"), [((0.0, 0.0), 1.0), ((0.4, 0.0), 2**0.5)])
def test_jitter_moves_each_image_by_as_many_pixels_in_every_window(window, b, spread) -> None:
    """A transform with A = 0 draws a single bump at b; jitter moves it by A's noise times b, and by b's.

    Both are the same in pixels in every window: b is given in windows here, and 0.4 of one is a unit of 2.5.
    """
    b = torch.tensor(b) * window
    still = Transforms(torch.zeros(1, 1, 2, 2), b.view(1, 1, 2))
    view = {"num_points": 1, "window": window, "jitter": 0.05}
    generator = FractalGenerator(FractalEmbedding(still, "raw"), 32, **view)
    images = generator.draw(torch.zeros(4000, dtype=torch.long), torch.Generator().manual_seed(0))
    mass, along = images.detach().squeeze(1), torch.arange(32.0)
    centers = torch.stack([mass.sum(3 - axis) @ along / mass.sum((1, 2)) for axis in (1, 2)], 1)
    unit = 31 / (2 * window)  # pixels: a window of 4 units is 31 pixels from the first to the last
    pixels = 0.05 * spread * 31 / (2 * 2.5)
    torch.testing.assert_close(centers.std(0), torch.full((2,), pixels), rtol=0.1, atol=0)
    torch.testing.assert_close(centers.mean(0), 15.5 + unit * b, rtol=0, atol=0.1)


def test_jitter_is_repeatable_and_differentiable() -> None:
    generator = FractalGenerator(FractalEmbedding(start()), num_points=50, jitter=0.1)
    fractals = torch.tensor([1, 3, 3])
    drawn = [generator.draw(fractals, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)]
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])
    drawn[0].sum().backward()
    moved = generator.embedding.b.grad.abs().flatten(1).sum(1) > 0
    assert moved.tolist() == [False, True, False, True, False, False]


def test_gradient_of_jittered_images_is_deterministic() -> None:
    generator = FractalGenerator(FractalEmbedding(start()), 16, num_points=5, jitter=0.1)
    fractals = torch.arange(3000) % 6

    def gradient() -> torch.Tensor:
        generator.zero_grad()
        generator.draw(fractals, torch.Generator().manual_seed(0)).square().sum().backward()
        return generator.embedding.b.grad.clone()

    first = gradient()
    assert all(gradient().equal(first) for _ in range(5))


def test_uniform_probabilities_draw_every_transform_equally_often(tmp_path: Path) -> None:
    generator = FractalGenerator(FractalEmbedding(start()), num_points=20_000, probabilities="uniform")
    generator.save(tmp_path / "uniform.safetensors")
    again = FractalGenerator.from_pretrained(tmp_path / "uniform.safetensors")
    (sequence,) = again.draw_sequences(torch.tensor([2]), torch.Generator().manual_seed(0))
    shares = sequence.bincount() / 20_000
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / len(shares)), rtol=0.1, atol=0)


# -- which fractals are drawn ------------------------------------------------------------------


def test_one_index_a_list_and_a_tensor_draw_the_same_images() -> None:
    drawn = small_generator(jitter=0.1)
    fractals = [5, 0, 3]
    as_list, as_range = drawn.draw(fractals, seeded()), drawn.draw(range(2), seeded())
    assert as_list.shape == (3, 1, 20, 20)
    assert as_list.equal(drawn.draw(torch.tensor(fractals), seeded()))
    assert as_list.equal(drawn.draw(torch.tensor(fractals, dtype=torch.uint8), seeded()))
    assert as_range.equal(drawn.draw([0, 1], seeded()))
    one = drawn.draw(3, seeded())
    assert one.shape == (1, 1, 20, 20)
    assert one.equal(drawn.draw(torch.tensor(3), seeded()))
    assert drawn.draw([], seeded()).shape == (0, 1, 20, 20)


@pytest.mark.parametrize("index", [6, -1, [0, 6], torch.tensor([0, -2])])
def test_index_out_of_range_is_named(index) -> None:
    with pytest.raises(IndexError, match=r"fractal index (6|-1|-2) is out of range for 6 fractals"):
        small_generator().draw(index)


@pytest.mark.parametrize("index", [0.5, [1.0], "3"])
def test_index_must_be_an_integer(index) -> None:
    with pytest.raises(TypeError, match="integer"):
        small_generator().draw(index)


@pytest.mark.parametrize("index", [torch.tensor([0.5]), torch.tensor([True]), torch.zeros(1, 1).long()])
def test_tensor_of_no_indices_is_refused(index: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"fractals must be integers \[B\]"):
        small_generator().draw(index)


def test_ranks_share_what_one_process_draws() -> None:
    drawn, fractals = small_generator(jitter=0.1), torch.tensor([0, 1, 2, 3])
    whole = drawn.draw(fractals, seeded())
    halves = [
        drawn.draw(fractals.chunk(2)[rank], RandomSource(seeded(), RankShard(rank, 2))) for rank in (0, 1)
    ]
    torch.testing.assert_close(torch.cat(halves), whole)


# -- resolution --------------------------------------------------------------------------------


def test_points_and_tau_follow_the_size_by_default() -> None:
    large = small_generator(image_size=128, num_points=None)
    assert (large.num_points, large.tau) == (points_for(128), tau_for(128))
    explicit = small_generator(image_size=128, num_points=50, tau=0.5)
    assert (explicit.num_points, explicit.tau) == (50, 0.5)


def test_size_of_one_draw_is_that_of_a_generator_of_that_size() -> None:
    small = small_generator(image_size=32, num_points=200, tau=0.5)
    num_points, tau = 200 * 4, 0.5 * tau_for(64)
    large = small_generator(image_size=64, num_points=num_points, tau=tau)
    assert small.draw([1, 2], seeded(), size=64).equal(large.draw([1, 2], seeded()))
    assert (small.image_size, small.num_points, small.tau) == (32, 200, 0.5)


def test_larger_images_show_the_same_attractor() -> None:
    fractals = range(6)
    small, large = (
        small_generator(num_points=None).draw(fractals, seeded(), size=size) for size in (32, 128)
    )
    averaged = torch.nn.functional.avg_pool2d(large, 4)
    pairs = [(a.flatten(), b.flatten()) for a in small for b in averaged]
    likeness = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]).view(6, 6)
    assert likeness.argmax(1).tolist() == list(fractals)


def test_size_that_is_set_scales_points_and_tau() -> None:
    drawn = small_generator(image_size=32, num_points=300, tau=1.0)
    drawn.image_size = 64
    assert (drawn.size, drawn.num_points, drawn.tau) == ((64, 64), points_for(64), tau_for(64))
    assert drawn.draw(0).shape == (1, 1, 64, 64)
    drawn.image_size = 32
    assert (drawn.num_points, drawn.tau) == (300, 1.0)
    drawn.num_points = 1000
    drawn.image_size = 1024
    assert drawn.num_points == MAX_SIZES["num_points"]


def test_points_that_are_set_are_those_of_the_current_size() -> None:
    drawn = small_generator(image_size=32, num_points=300)
    drawn.image_size = 64
    drawn.num_points = 1000
    assert drawn.draw_sequences(0).shape == (1, 1000)
    drawn.image_size = 32
    assert drawn.num_points == 250


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 0}, "image_size must be >= 1, got 0"),
        ({"num_points": MAX_SIZES["num_points"] + 1}, "num_points must be <="),
        ({"window": 0.0}, "window"),
        ({"tau": float("nan")}, "tau"),
        ({"jitter": -0.1}, "jitter must be >= 0"),
        ({"probabilities": "equal"}, "probabilities must be one of determinant, area, uniform"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_generator(**options)


def test_sizes_out_of_range_are_named() -> None:
    drawn = small_generator()
    with pytest.raises(InputError, match="size must be >= 1, got 0"):
        drawn.draw(0, size=0)
    with pytest.raises(InputError, match="image_size must be <="):
        drawn.image_size = 5000
    with pytest.raises(InputError, match="num_points must be >= 1, got 0"):
        drawn.num_points = 0
    assert (drawn.image_size, drawn.num_points) == (20, 100)


# -- as an object ------------------------------------------------------------------------------


def test_repr_shows_how_images_are_drawn() -> None:
    expected = "image_size=20, num_points=100, window=2.5, tau=1.0, jitter=0.1, probabilities='determinant'"
    expected += ", sequences='random'"
    assert small_generator(jitter=0.1).extra_repr() == expected


def test_pickled_generator_draws_the_same_images() -> None:
    drawn = small_generator(jitter=0.1)
    again = pickle.loads(pickle.dumps(drawn))
    assert again.draw([1, 2], seeded(), size=40).equal(drawn.draw([1, 2], seeded(), size=40))


def test_file_holds_plain_values(tmp_path: Path) -> None:
    content = small_generator(jitter=0.1).to_file({"data": "digits"})
    torch.save(content._asdict(), tmp_path / "content.pt")
    loaded = torch.load(tmp_path / "content.pt", weights_only=True)
    assert loaded["settings"] == content.settings
    assert loaded["provenance"] == {"data": "digits"}
    assert loaded["parameters"].keys() == FractalEmbedding(start()).state_dict().keys()


@pytest.mark.parametrize("jitter", [0.0, 0.1])
def test_each_fractal_is_drawn_with_its_own_tau(jitter: float) -> None:
    """As by generators with that tau for all; their gradients, too."""
    multiples = torch.tensor([0.5, 1.0, 2.0, 0.5, 1.0, 1.0])
    embedding = FractalEmbedding(start(), relative_tau=multiples)
    generator = FractalGenerator(embedding, 20, 100, tau=0.8, jitter=jitter)
    fractals = torch.tensor([2, 0, 5, 3, 2, 1, 4])
    images = generator.draw(fractals, seeded())
    cotangent = torch.rand(images.shape, generator=seeded(1))
    images.backward(cotangent)
    gradient = torch.zeros_like(embedding.b)
    for multiple in multiples.unique().tolist():
        same = small_generator(tau=0.8 * multiple, jitter=jitter)
        rows = multiples[fractals] == multiple
        expected = same.draw(fractals, seeded())
        assert images[rows].equal(expected[rows])
        expected.backward(cotangent * rows.view(-1, 1, 1, 1))
        gradient += same.embedding.b.grad
    torch.testing.assert_close(embedding.b.grad, gradient)


def test_tau_of_each_fractal_scales_with_the_size_and_serves_indices_of_all_types() -> None:
    embedding = FractalEmbedding(start(), relative_tau=torch.tensor([0.5, 1.0, 2.0, 0.5, 1.0, 1.0]))
    generator = FractalGenerator(embedding, 20, 100, tau=0.8)
    drawn = [each.draw([0], seeded(), size=40) for each in (generator, small_generator(tau=0.4))]
    assert drawn[0].equal(drawn[1])
    assert generator.draw([], seeded()).shape == (0, 1, 20, 20)
    fractals = torch.arange(6).flip(0)
    sequences = generator.draw_sequences(fractals, seeded())
    assert generator(fractals.to(torch.uint8), sequences).equal(generator(fractals, sequences))
    with pytest.raises(ValueError, match=r"relative_tau must have the shape \[B\], got \[1\]"):
        generator.render(embedding(), fractals, sequences, relative_tau=torch.ones(1))
    with pytest.raises(ValueError, match=r"relative_tau must have the shape \[J\], got \[3\]"):
        FractalEmbedding(start(), relative_tau=torch.ones(3))
