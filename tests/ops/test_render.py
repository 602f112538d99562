import pytest
import torch
from torch import Tensor

from fractalgan.ops import (
    Factors,
    Transforms,
    compose,
    determinant_probabilities,
    draw_sequences,
    fixed_point,
    render,
    start_points,
)
from tests.problems import random_fractals, render_with_loops, sierpinski


def test_image_matches_plain_loops() -> None:
    transforms = random_fractals(2, 3)
    fractals, z = torch.tensor([1, 0]), torch.randint(0, 3, (2, 25))
    images = render(transforms, fractals, z, size=(9, 9), window=1.5, tau=0.8)
    start = start_points(transforms, fractals)
    for image, fractal in enumerate(fractals.tolist()):
        expected = render_with_loops(transforms, fractal, z[image].tolist(), start[image], 9, 1.5, 0.8)
        torch.testing.assert_close(images[image], torch.tensor(expected, dtype=torch.float64))


def test_single_transform_draws_its_fixed_point() -> None:
    A = torch.tensor([[0.3, -0.2], [0.1, 0.4]], dtype=torch.float64).expand(1, 1, 2, 2)
    v = torch.tensor([0.5, -0.5], dtype=torch.float64)
    b = v - A[0, 0] @ v
    torch.testing.assert_close(fixed_point(A[0, 0], b), v)
    z = torch.zeros(1, 10, dtype=torch.long)
    transforms = Transforms(A, b.expand(1, 1, 2))
    image = render(transforms, torch.tensor([0]), z, size=(5, 5), window=1.0, tau=0.1)[0]
    # (0.5, -0.5) in [-1, 1]^2 is pixel (3, 1) of 0..4; the sum of ten bumps is clamped to 1
    assert image.argmax() == 3 * 5 + 1
    assert image[3, 1] == 1


def test_sierpinski_triangle_has_a_hole() -> None:
    z = draw_sequences(torch.full((1, 3), 1 / 3), torch.tensor([0]), 3000)
    image = render(sierpinski(), torch.tensor([0]), z, size=(64, 64), window=1.0, tau=0.2)[0]
    # [0, 1]^2 is the quadrant of pixels 31.5 to 63
    assert (image[32:63, 32] > 0.3).all()  # the edges along the axes belong to the triangle
    assert (image[32, 32:63] > 0.3).all()
    assert image[45, 45] < 1e-3  # inside the middle triangle, near (0.4, 0.4)
    assert image[60, 60] < 1e-3  # beyond the hypotenuse
    assert image[:30].max() < 1e-3


def test_default_backend_draws_the_sierpinski_triangle() -> None:
    z = draw_sequences(torch.full((1, 3), 1 / 3), torch.tensor([0]), 3000)
    image = render(sierpinski(torch.float32), torch.tensor([0]), z, size=(64, 64), window=1.0, tau=0.2)[0]
    assert (image[32:63, 32] > 0.3).all()
    assert image[45, 45] < 1e-3


def test_gradient_from_parameters_to_image_passes_gradcheck() -> None:
    """The parameters are S = (theta, phi, sigma, b) of the rotation-scaling-flip form."""
    fractals = torch.tensor([0, 1, 0])
    flip = torch.tensor([1.0, -1.0], dtype=torch.float64).expand(2, 3, 2)

    def draw(theta: Tensor, phi: Tensor, sigma: Tensor, b: Tensor) -> Tensor:
        transforms = Transforms(compose(Factors(theta, phi, sigma, flip)), b)
        return render(transforms, fractals, sequences, size=(6, 7), window=2.0, tau=1.5, start=start)

    random = torch.Generator().manual_seed(3)
    theta, phi = torch.rand(2, 2, 3, generator=random, dtype=torch.float64) * 6
    sigma = torch.rand(2, 3, 2, generator=random, dtype=torch.float64) * 0.5 + 0.1
    b = torch.rand(2, 3, 2, generator=random, dtype=torch.float64) * 2 - 1
    start = torch.rand(3, 2, generator=random, dtype=torch.float64)
    sequences = torch.randint(0, 3, (3, 6), generator=random)
    inputs = [each.requires_grad_() for each in (theta, phi, sigma, b)]
    assert (draw(*inputs) < 1).any()
    assert torch.autograd.gradcheck(draw, inputs, atol=1e-6, rtol=1e-5)


def test_full_pixels_pass_no_gradient() -> None:
    transforms = Transforms(*(part.requires_grad_() for part in random_fractals(1, 2)))
    z = torch.randint(0, 2, (1, 400))
    image = render(transforms, torch.tensor([0]), z, size=(4, 4), window=3.0, tau=2.0)
    assert image.max() == 1
    gradient = torch.autograd.grad(image[image == 1].sum(), transforms.b)[0]
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("scale", [3.0, 1e20, float("inf"), float("nan")])
def test_diverging_fractal_yields_finite_numbers_and_does_not_affect_others(scale: float) -> None:
    transforms = random_fractals(2, 3)
    A = transforms.A.float().clone()
    A[0] = scale
    A.requires_grad_()
    b = transforms.b.float().requires_grad_()
    z = torch.randint(0, 3, (2, 300))
    images = render(Transforms(A, b), torch.tensor([0, 1]), z, size=(16, 16), window=2.0)
    assert images.isfinite().all()
    images.square().sum().backward()
    assert A.grad is not None
    assert b.grad is not None
    assert A.grad.isfinite().all()
    assert b.grad.isfinite().all()
    alone = render(Transforms(A[1:], b[1:]), torch.tensor([0]), z[1:], size=(16, 16), window=2.0)
    torch.testing.assert_close(images[1], alone[0])


def test_images_of_one_fractal_are_closer_than_those_of_two() -> None:
    transforms = random_fractals(2, 10)
    fractals = torch.tensor([0, 0, 1])
    z = draw_sequences(determinant_probabilities(transforms.A), fractals, 2000)
    first, second, other = render(transforms, fractals, z, size=(32, 32), window=2.5)
    assert (first - second).square().mean() * 5 < (first - other).square().mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (0, 4)}, r"size must be \(H, W\) with H, W >= 1, got \(0, 4\)"),
        ({"window": 0.0}, r"window must be in \[1e-6, 1e6\], got 0.0"),
        ({"tau": -1.0}, r"tau must be in \[1e-4, 1e4\], got -1.0"),
        ({"window": float("nan")}, r"window must be in \[1e-6, 1e6\], got nan"),
        (
            {"fractals": torch.zeros(3, dtype=torch.long)},
            r"fractals must be \[B\] and sequences \[B, T\] or \[B, C, T\], got \[3\] and \[2, 5\]",
        ),
        (
            {"transforms": Transforms(torch.zeros(1, 2, 2), torch.zeros(1, 2))},
            r"transforms must be A \[J, N, 2, 2\] and b \[J, N, 2\], got \[1, 2, 2\] and \[1, 2\]",
        ),
    ],
)
def test_invalid_argument_is_an_error(change: dict, message: str) -> None:
    arguments = {
        "transforms": random_fractals(1, 2),
        "fractals": torch.zeros(2, dtype=torch.long),
        "sequences": torch.zeros(2, 5, dtype=torch.long),
        "size": (4, 4),
        "window": 2.0,
        "tau": 1.0,
    } | change
    with pytest.raises(ValueError, match=message):
        render(**arguments)
