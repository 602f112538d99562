import torch

from fractalgan.ops import Transforms, draw_sequences, iterate_points
from tests.problems import random_systems, sierpinski


def test_sequences_follow_the_probabilities() -> None:
    p = torch.tensor([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]])
    z = draw_sequences(p, torch.tensor([0, 1]), 20_000, torch.Generator().manual_seed(0))
    shares = torch.stack([torch.bincount(row, minlength=3) / 20_000 for row in z])
    torch.testing.assert_close(shares, p, atol=0.02, rtol=0)
    assert (z[1] == 1).all()


def test_sequences_come_again_from_the_same_generator() -> None:
    p = torch.rand(3, 10)
    first, second = (
        draw_sequences(p / p.sum(-1, keepdim=True), torch.arange(3), 50, torch.Generator().manual_seed(7))
        for _ in range(2)
    )
    assert first.equal(second)
    assert first.min() >= 0
    assert first.max() <= 9


def test_points_are_those_of_the_recurrence() -> None:
    transforms = random_systems(3, 4)
    fractals, z = torch.tensor([2, 0, 2]), torch.randint(0, 4, (3, 30))
    start = torch.rand(3, 2, dtype=torch.float64)
    points = iterate_points(transforms, fractals, z, start)
    for image, fractal in enumerate(fractals.tolist()):
        v = start[image]
        for t, n in enumerate(z[image].tolist()):
            v = transforms.A[fractal, n] @ v + transforms.b[fractal, n]
            torch.testing.assert_close(points[image, t], v)


def test_fractals_in_one_batch_are_as_each_alone() -> None:
    transforms = random_systems(5, 10)
    fractals, z = torch.tensor([4, 1, 3]), torch.randint(0, 10, (3, 100))
    start = torch.zeros(3, 2, dtype=torch.float64)
    together = iterate_points(transforms, fractals, z, start)
    for image, fractal in enumerate(fractals.tolist()):
        alone = Transforms(*(part[fractal : fractal + 1] for part in transforms))
        one = iterate_points(alone, torch.zeros(1, dtype=torch.long), z[image : image + 1], start[:1])
        assert together[image].equal(one[0])


def test_gradient_is_that_of_autograd_through_the_loop() -> None:
    transforms = Transforms(*(part.requires_grad_() for part in random_systems(2, 3)))
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


def test_sierpinski_points_stay_in_its_triangle_and_out_of_its_hole() -> None:
    transforms = sierpinski()
    z = draw_sequences(torch.full((1, 3), 1 / 3), torch.tensor([0]), 5000)
    x, y = iterate_points(transforms, torch.tensor([0]), z, torch.zeros(1, 2, dtype=torch.float64))[0].T
    assert (x >= 0).all()
    assert (y >= 0).all()
    assert (x + y <= 1).all()
    hole = (x < 0.5) & (y < 0.5) & (x + y > 0.5)  # the open middle triangle
    assert not hole.any()


def test_points_of_a_diverging_system_pass_no_gradient() -> None:
    transforms = Transforms(*(part.clone().requires_grad_() for part in random_systems(2, 1)))
    with torch.no_grad():
        transforms.A[1] = 1e3 * torch.eye(2)
    points = iterate_points(
        transforms, torch.tensor([0, 1]), torch.zeros(2, 300, dtype=torch.long), torch.ones(2, 2).double()
    )
    assert points[0].isfinite().all()
    assert not points[1].isfinite().all()
    points[points.isfinite() & (points.abs() < 1e3)].sum().backward()
    assert transforms.A.grad is not None
    assert transforms.A.grad.isfinite().all()
