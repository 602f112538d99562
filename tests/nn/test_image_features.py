"""What images tell of backgrounds, shapes and colors."""

import torch

from fractalgan.nn import backgrounds, features_at, shapes
from fractalgan.ops import Transforms

WHITE, RED, BLUE = torch.ones(3), torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])


def flag() -> torch.Tensor:
    """[1, 3, 16, 16]: on white, a square whose upper half is red and whose lower half is blue."""
    image = WHITE.view(3, 1, 1).repeat(1, 16, 16)
    image[:, 4:8, 4:12] = RED.view(3, 1, 1)
    image[:, 8:12, 4:12] = BLUE.view(3, 1, 1)
    return image.unsqueeze(0)


def test_background_is_the_median_of_the_outline() -> None:
    image = flag()
    image[:, :, 0, :5] = 0
    assert backgrounds(image).equal(WHITE.unsqueeze(0))


def test_shape_is_what_differs_from_the_background_in_any_channel() -> None:
    mask = shapes(flag(), WHITE.unsqueeze(0))
    assert mask.shape == (1, 1, 16, 16)
    assert mask.sum() == 64
    assert mask[0, 0, 4:12, 4:12].all()
    faint = (WHITE - torch.tensor([0.0, 0.125, 0.0])).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert shapes(faint, WHITE.unsqueeze(0)).eq(0.5).all()


def test_transforms_get_the_color_of_the_place_where_they_draw() -> None:
    """Two fractals of one image. Those of the first draw red, blue, and a point outside."""
    half = torch.zeros(2, 3, 2, 2)
    b = torch.tensor([[[-0.3, 0.0], [0.3, 0.0], [5.0, 0.0]], [[0.3, 0.0], [-0.3, 0.0], [0.3, 0.0]]])
    features = features_at(Transforms(half, b), flag(), window=1.0, uniform=torch.rand(2, 150))
    expected = torch.stack([RED, BLUE, (RED + BLUE) / 2, BLUE, RED, BLUE]).view(2, 3, 3)
    torch.testing.assert_close(features.values, expected, atol=0.01, rtol=0)
    assert features.background.equal(WHITE.expand(2, 3))
    assert not features.blend.any()


def test_fractals_that_are_not_finite_get_the_mean_color() -> None:
    b = torch.full((1, 2, 2), torch.nan)
    features = features_at(
        Transforms(torch.zeros(1, 2, 2, 2), b), flag(), window=1.0, uniform=torch.rand(1, 100)
    )
    torch.testing.assert_close(features.values, ((RED + BLUE) / 2).expand(1, 2, 3), atol=0.01, rtol=0)
