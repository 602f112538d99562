import math

import pytest
import torch

from fractalgan.ops import splat_dense, splat_separable, to_pixels

SHAPES = [(1, 1, (1, 1)), (2, 5, (8, 8)), (3, 50, (16, 9)), (1, 300, (32, 32)), (4, 20, (5, 33))]


@pytest.mark.parametrize("splat", [splat_dense, splat_separable])
def test_point_on_a_pixel_center(splat) -> None:
    image = splat(torch.tensor([[[2.0, 3.0]]], dtype=torch.float64), (6, 7), 2.0)[0]
    assert image.shape == (6, 7)
    assert image[2, 3] == 1
    assert image[2, 4].item() == pytest.approx(math.exp(-1 / 2))
    assert image[4, 4].item() == pytest.approx(math.exp(-5 / 2))


@pytest.mark.parametrize(("batch", "num_points", "size"), SHAPES)
@pytest.mark.parametrize("tau", [0.3, 1.0, 7.0])
def test_separable_matches_dense(batch: int, num_points: int, size: tuple[int, int], tau: float) -> None:
    points = (torch.rand(batch, num_points, 2, dtype=torch.float64) * 1.6 - 0.3) * torch.tensor(size)
    points.requires_grad_()
    dense, separable = (splat(points, size, tau) for splat in (splat_dense, splat_separable))
    torch.testing.assert_close(separable, dense, atol=1e-12, rtol=1e-12)
    cotangent = torch.randn_like(dense)
    gradients = [torch.autograd.grad(image, points, cotangent)[0] for image in (dense, separable)]
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("splat", [splat_dense, splat_separable])
@pytest.mark.parametrize("position", [math.nan, math.inf, -math.inf, 1e30, -1e12])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_point_that_is_not_visible_draws_nothing(splat, position: float, dtype: torch.dtype) -> None:
    points = torch.tensor([[[1.0, 2.0], [position, 1.0]]], dtype=dtype, requires_grad=True)
    image = splat(points, (4, 4), 1.0)
    torch.testing.assert_close(image, splat(points[:, :1], (4, 4), 1.0), atol=1e-15, rtol=0)
    image.square().sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()
    assert points.grad[0, 1].abs().max() < 1e-15


def test_separable_yields_no_subnormal_numbers() -> None:
    points = torch.rand(2, 50, 2) * 64
    image = splat_separable(points, (64, 64), 0.5)
    tiny = torch.finfo(image.dtype).tiny
    assert (image >= tiny).all()


def test_window_spans_the_pixel_centers() -> None:
    corners = torch.tensor([[-2.0, -2.0], [2.0, 2.0], [0.0, 0.0], [2.0, -2.0]])
    expected = torch.tensor([[0.0, 0.0], [31.0, 15.0], [15.5, 7.5], [31.0, 0.0]])
    torch.testing.assert_close(to_pixels(corners, (32, 16), 2.0), expected)
