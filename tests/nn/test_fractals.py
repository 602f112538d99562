import pytest
import torch

from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import Transforms, anderson_farrell, factorize, fractaldb


def start(num_fractals: int = 6) -> Transforms:
    return anderson_farrell(num_fractals, 5, torch.Generator().manual_seed(0))


def test_raw_embedding_begins_at_the_given_maps() -> None:
    A, b = FractalEmbedding(start(), "raw")()
    assert A.equal(start().A)
    assert b.equal(start().b)


@pytest.mark.parametrize("matrices", ["sigmoid", "clamp"])
@pytest.mark.parametrize("draw", [anderson_farrell, fractaldb])
def test_embedding_begins_at_the_given_maps_within_its_range(matrices, draw) -> None:
    given = draw(6, 5, torch.Generator().manual_seed(0))
    A, _ = FractalEmbedding(given, matrices, (0.05, 0.9))()
    inside = ((factorize(given.A).sigma - 0.475).abs() < 0.41).all(-1)
    assert inside.any()
    torch.testing.assert_close(A[inside], given.A[inside], atol=1e-5, rtol=1e-4)
    sigma = factorize(A).sigma
    assert sigma.min() > 0.05 - 1e-5
    assert sigma.max() < 0.9 + 1e-5


@pytest.mark.parametrize("matrices", ["sigmoid", "clamp"])
def test_sigma_stays_in_range_under_any_step(matrices) -> None:
    embedding = FractalEmbedding(start(), matrices, (0.1, 0.8))
    optimizer = torch.optim.SGD(embedding.parameters(), lr=1e3)
    for _ in range(5):
        optimizer.zero_grad()
        embedding().A.square().sum().neg().backward()
        optimizer.step()
        embedding.constrain_()
        sigma = factorize(embedding().A.detach()).sigma
        assert sigma.min() >= 0.1 - 1e-5
        assert sigma.max() <= 0.8 + 1e-5


def test_unbounded_sigma_goes_anywhere() -> None:
    embedding = FractalEmbedding(start(), "unbounded", (0.1, 0.8))
    with torch.no_grad():
        embedding.matrices.scale[..., 0] += 5
        embedding.matrices.scale[..., 1] -= 2
    sigma = factorize(embedding().A.detach()).sigma
    assert sigma[..., 0].min() > 5
    assert sigma[..., 1].min() > 1


def test_uniform_probabilities_draw_every_map_as_often(tmp_path) -> None:
    generator = FractalGenerator(FractalEmbedding(start()), num_points=20_000, probabilities="uniform")
    generator.save(tmp_path / "uniform.safetensors")
    again = FractalGenerator.from_pretrained(tmp_path / "uniform.safetensors")
    (sequence,) = again.draw_sequences(torch.tensor([2]), torch.Generator().manual_seed(0))
    shares = sequence.bincount() / 20_000
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / len(shares)), rtol=0.1, atol=0)


def test_clamped_sigma_can_leave_its_bound_again() -> None:
    embedding = FractalEmbedding(start(), "clamp", (0.0, 1.0))
    with torch.no_grad():
        embedding.matrices.scale += 5
    embedding.constrain_()
    embedding().A.square().sum().backward()
    assert (embedding.matrices.scale.grad > 0).all()


def test_perturbation_moves_every_parameter_and_comes_again() -> None:
    first, second, still = (FractalEmbedding(start(), "sigmoid") for _ in range(3))
    for embedding in (first, second):
        embedding.perturb_(0.1, torch.Generator().manual_seed(4))
    for one, two, zero in zip(first.parameters(), second.parameters(), still.parameters(), strict=True):
        assert one.equal(two)
        assert 0.05 < (one - zero).std() < 0.15


def test_perturbation_keeps_clamped_sigma_in_range() -> None:
    embedding = FractalEmbedding(start(), "clamp", (0.0, 1.0))
    embedding.perturb_(3.0)
    assert embedding.matrices.scale.min() >= 0
    assert embedding.matrices.scale.max() <= 1


def test_generator_draws_grey_images_of_each_fractal() -> None:
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


@pytest.mark.parametrize(("b", "spread"), [((0.0, 0.0), 1.0), ((1.0, 0.0), 2**0.5)])
def test_jitter_moves_the_maps_of_every_image_by_as_much(b, spread) -> None:
    """A map that takes all to b draws a single bump at b; noise moves it by A's times b, and by b's."""
    still = Transforms(torch.zeros(1, 1, 2, 2), torch.tensor([[b]]))
    generator = FractalGenerator(FractalEmbedding(still, "raw"), 32, num_points=1, window=2.0, jitter=0.05)
    images = generator.draw(torch.zeros(4000, dtype=torch.long), torch.Generator().manual_seed(0))
    mass, along = images.detach().squeeze(1), torch.arange(32.0)
    centres = torch.stack([mass.sum(3 - axis) @ along / mass.sum((1, 2)) for axis in (1, 2)], 1)
    unit = 31 / 4  # pixels: a window of 4 units is 31 pixels from the first to the last
    torch.testing.assert_close(centres.std(0), torch.full((2,), 0.05 * spread * unit), rtol=0.1, atol=0)
    torch.testing.assert_close(centres.mean(0), 15.5 + unit * torch.tensor(b), rtol=0, atol=0.1)


def test_jitter_is_drawn_again_from_the_same_numbers_and_passes_the_gradient_on() -> None:
    generator = FractalGenerator(FractalEmbedding(start()), num_points=50, jitter=0.1)
    fractals = torch.tensor([1, 3, 3])
    drawn = [generator.draw(fractals, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)]
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])
    drawn[0].sum().backward()
    moved = generator.embedding.b.grad.abs().flatten(1).sum(1) > 0
    assert moved.tolist() == [False, True, False, True, False, False]


def test_gradient_of_jittered_images_is_the_same_every_time() -> None:
    generator = FractalGenerator(FractalEmbedding(start()), 16, num_points=5, jitter=0.1)
    fractals = torch.arange(3000) % 6

    def gradient() -> torch.Tensor:
        generator.zero_grad()
        generator.draw(fractals, torch.Generator().manual_seed(0)).square().sum().backward()
        return generator.embedding.b.grad.clone()

    first = gradient()
    assert all(gradient().equal(first) for _ in range(5))


@pytest.mark.parametrize("bounds", [(-0.1, 0.5), (0.5, 0.5), (0.9, 0.1)])
def test_impossible_range_is_refused(bounds) -> None:
    with pytest.raises(ValueError, match="sigma_range"):
        FractalEmbedding(start(), "sigmoid", bounds)


def test_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="sigmoid, clamp, unbounded or raw"):
        FractalEmbedding(start(), "linear")  # type: ignore[arg-type]
