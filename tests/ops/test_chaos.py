import torch

from fractalgan.ops import Transforms, draw_sequences, iterate_points
from tests.problems import random_fractals, sierpinski


def test_points_follow_the_recurrence() -> None:
    transforms = random_fractals(3, 4)
    fractals, z = torch.tensor([2, 0, 2]), torch.randint(0, 4, (3, 30))
    start = torch.rand(3, 2, dtype=torch.float64)
    points = iterate_points(transforms, fractals, z, start)
    for image, fractal in enumerate(fractals.tolist()):
        v = start[image]
        for t, n in enumerate(z[image].tolist()):
            v = transforms.A[fractal, n] @ v + transforms.b[fractal, n]
            torch.testing.assert_close(points[image, t], v)


def test_points_do_not_depend_on_the_other_fractals_of_the_batch() -> None:
    transforms = random_fractals(5, 10)
    fractals, z = torch.tensor([4, 1, 3]), torch.randint(0, 10, (3, 100))
    start = torch.zeros(3, 2, dtype=torch.float64)
    together = iterate_points(transforms, fractals, z, start)
    for image, fractal in enumerate(fractals.tolist()):
        alone = Transforms(*(part[fractal : fractal + 1] for part in transforms))
        one = iterate_points(alone, torch.zeros(1, dtype=torch.long), z[image : image + 1], start[:1])
        assert together[image].equal(one[0])


def test_gradient_matches_autograd_through_a_loop() -> None:
    transforms = Transforms(*(part.requires_grad_() for part in random_fractals(2, 3)))
    fractals, z = torch.tensor([0, 1, 1]), torch.randint(0, 3, (3, 40))
    start = torch.rand(3, 2, dtype=torch.float64)
    cotangent = torch.randn(3, 40, 2, dtype=torch.float64)
    ours = torch.autograd.grad(iterate_points(transforms, fractals, z, start), transforms, cotangent)

    v, steps = start, []
    for t in range(40):
        A, b = transforms.A[fractals, z[:, t]], transforms.b[fractals, z[:, t]]
        v = (A @ v.unsqueeze(-1)).squeeze(-1) + b
        steps.append(v)
    torch.testing.assert_close(ours, torch.autograd.grad(torch.stack(steps, 1), transforms, cotangent))


def test_points_of_the_sierpinski_triangle_avoid_its_hole() -> None:
    transforms = sierpinski()
    z = draw_sequences(torch.full((1, 3), 1 / 3), torch.tensor([0]), 5000)
    x, y = iterate_points(transforms, torch.tensor([0]), z, torch.zeros(1, 2, dtype=torch.float64))[0].T
    assert (x >= 0).all()
    assert (y >= 0).all()
    assert (x + y <= 1).all()
    hole = (x < 0.5) & (y < 0.5) & (x + y > 0.5)  # the open middle triangle
    assert not hole.any()


def test_points_that_are_not_finite_pass_no_gradient() -> None:
    transforms = Transforms(*(part.clone().requires_grad_() for part in random_fractals(2, 1)))
    with torch.no_grad():
        transforms.A[1] = 1e3 * torch.eye(2)
    z, start = torch.zeros(2, 300, dtype=torch.long), torch.ones(2, 2).double()
    points = iterate_points(transforms, torch.tensor([0, 1]), z, start)
    finite = points.isfinite()
    assert finite[0].all()
    assert not finite[1].all()

    lost = torch.autograd.grad(points, transforms, (~finite).double(), retain_graph=True)
    assert not any(gradient.any() for gradient in lost)
    small = (finite & (points.abs() < 1e3)).double()
    gradients = torch.autograd.grad(points, transforms, small)
    prefix = int(small[1, :, 0].sum())  # the points of the second fractal that are small come first
    expected = torch.autograd.grad(
        iterate_points(transforms, torch.tensor([0, 1]), z[:, :prefix], start)[1].sum(), transforms
    )
    torch.testing.assert_close([g[1] for g in gradients], [g[1] for g in expected])
