"""Gray levels and colors: closed-form cases, properties, and gradcheck."""

import math

import pytest
import torch

from fractalgan.ops import Features, Transforms, composite, point_features, render
from tests.ops.cases import BACKENDS, DEVICES, Case, every_backend, problem
from tests.problems import random_fractals


def at_points(*points: tuple[float, float]) -> Transforms:
    """One fractal whose transforms map everything to one point each."""
    b = torch.tensor([points])
    return Transforms(torch.zeros(1, len(points), 2, 2), b)


def test_a_point_has_its_transforms_color_and_its_bump_as_alpha() -> None:
    """One point at the center of pixel (1, 2): alpha is exp(-d^2 / tau) at a distance of d pixels."""
    color, background = torch.tensor([0.8, 0.2, 0.4]), torch.tensor([0.1, 0.9, 1.0])
    features = Features(color.expand(1, 1, 3), torch.zeros(1, 1), background.expand(1, 3))
    z = torch.zeros(1, 1, dtype=torch.long)
    image = render(at_points((-1.0, 1.0)), z[0], z, size=(4, 4), window=3.0, tau=2.0, features=features)[0]
    assert image.shape == (3, 4, 4)
    torch.testing.assert_close(image[:, 1, 2], color)
    alpha = math.exp(-1 / 2)
    torch.testing.assert_close(image[:, 1, 3], alpha * color + (1 - alpha) * background)


def test_a_full_pixel_is_the_mean_color_of_its_points() -> None:
    features = Features(
        torch.tensor([[[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]]]), torch.zeros(1, 2), torch.zeros(1, 3)
    )
    z = torch.tensor([[0, 1, 1, 1]])
    view = {"size": (1, 1), "window": 1.0, "features": features}
    image = render(at_points((-1.0, -1.0), (-1.0, -1.0)), z[0, :1], z, **view)
    torch.testing.assert_close(image[0, :, 0, 0], torch.tensor([0.75, 0.25, 0.5]))


@pytest.mark.parametrize(
    ("blend", "expected"),
    [(0.0, [0.0, 1.0, 0.0]), (1.0, [0.0, 0.0, 0.0]), (0.5, [0.0, 0.5, 0.25])],
)
def test_blend_keeps_a_share_of_the_point_before(blend: float, expected: list[float]) -> None:
    """As in fractal flames; the first point of a chain has its transform's own features."""
    features = Features(torch.tensor([[[0.0], [1.0]]]), torch.full((1, 2), blend), torch.zeros(1, 1))
    points = point_features(features, torch.tensor([0]), torch.tensor([[0, 1, 0]]))
    torch.testing.assert_close(points, torch.tensor(expected)[None, :, None])


@every_backend
@pytest.mark.parametrize("background", [0.0, 0.3])
def test_a_white_fractal_on_black_is_the_image_without_features(backend: str, background: float) -> None:
    transforms, fractals, z, view = problem(Case(num_points=100, chains=2), backend)
    plain = render(transforms, fractals, z, **view, backend=backend)
    white = torch.ones(3, 5, 1, device=DEVICES[backend])
    features = Features(white, torch.full_like(white[..., 0], 0.7), torch.full_like(white[:, 0], background))
    image = render(transforms, fractals, z, **view, features=features, backend=backend)[:, 0]
    torch.testing.assert_close(image, plain + (1 - plain) * background, atol=1e-6, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_channels_do_not_depend_on_each_other(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(features=3, chains=3), backend)
    features = view.pop("features")
    together = render(transforms, fractals, z, **view, features=features, backend=backend)
    for k in range(3):
        alone = Features(features.values[..., [k]], features.blend, features.background[:, [k]])
        image = render(transforms, fractals, z, **view, features=alone, backend=backend)
        torch.testing.assert_close(image[:, 0], together[:, k], atol=1e-6, rtol=0)


@every_backend
def test_images_are_between_the_least_and_the_largest_feature(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(features=3, num_points=200), backend)
    images = render(transforms, fractals, z, **view, backend=backend)
    least, largest = (
        torch.stack(
            [
                getattr(view["features"].values.flatten(), f"a{m}")(),
                getattr(view["features"].background.flatten(), f"a{m}")(),
            ]
        )
        for m in ("min", "max")
    )
    assert images.min() >= least.min() - 1e-6
    assert images.max() <= largest.max() + 1e-6


def test_gradients_of_everything_pass_gradcheck() -> None:
    A, b = random_fractals(2, 3)
    random = torch.Generator().manual_seed(0)
    fractals = torch.tensor([1, 0, 1])
    z = torch.randint(0, 3, (3, 2, 6), generator=random)
    shapes = (2, 3, 2), (2, 3), (2, 2)
    drawn = [torch.rand(shape, generator=random, dtype=torch.float64) for shape in shapes]
    inputs = [each.requires_grad_() for each in (A, b, *drawn)]
    start = torch.zeros(3, 2, 2, dtype=torch.float64)

    def draw(A: torch.Tensor, b: torch.Tensor, *features: torch.Tensor) -> torch.Tensor:
        view = {"size": (7, 6), "window": 2.0, "tau": 2.0, "start": start}
        return render(Transforms(A, b), fractals, z, **view, features=Features(*features))

    assert torch.autograd.gradcheck(draw, inputs)


def test_composite_passes_gradcheck_below_and_above_full() -> None:
    sums = torch.rand(2, 4, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    assert (sums[:, 0] < 1).any()
    assert (sums[:, 0] > 1).any()
    background = torch.rand(2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(composite, (sums.requires_grad_(), background.requires_grad_()))


@every_backend
def test_batch_without_images_or_points(backend: str) -> None:
    for batch, num_points in [(0, 10), (3, 0)]:
        transforms, fractals, z, view = problem(Case(batch=batch, num_points=num_points, features=3), backend)
        images = render(transforms, fractals, z, **view, backend=backend)
        assert images.shape == (batch, 3, 32, 32)
        background = view["features"].background[fractals][..., None, None]
        assert images.equal(background.expand_as(images))


@every_backend
def test_nan_in_a_cotangent_reaches_the_gradient_of_its_fractal_only(backend: str) -> None:
    transforms, fractals, z, view = problem(Case(batch=2, num_points=100, features=3), backend)
    images = render(transforms, fractals, z, **view, backend=backend)
    cotangent = torch.ones_like(images)
    cotangent[0, 1, 16, 16] = torch.nan
    gradients = torch.autograd.grad(images, [*transforms, view["features"].values], cotangent)
    for gradient in gradients:
        assert gradient[0].isnan().any()
        assert gradient[2].isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"values": torch.zeros(3, 4, 3)},
            r"features.values must have the shape \[3, 5, 3\], got \[3, 4, 3\]",
        ),
        ({"blend": torch.zeros(3)}, r"features.blend must have the shape \[3, 5\], got \[3\]"),
        (
            {"background": torch.zeros(3, 1)},
            r"features.background must have the shape \[3, 3\], got \[3, 1\]",
        ),
        ({"values": torch.zeros(3, 5, 3, dtype=torch.long)}, "floating-point dtype, got torch.int64"),
    ],
)
def test_invalid_features_are_an_error(change: dict[str, torch.Tensor], message: str) -> None:
    transforms, fractals, z, view = problem(Case(features=3))
    features = view.pop("features")._replace(**change)
    with pytest.raises(ValueError, match=message):
        render(transforms, fractals, z, **view, features=features)
