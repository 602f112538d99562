"""Pictures of fractals, and images of any part of one."""

import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding, FractalGenerator, between, matched
from fractalgan.ops import Features, Fractals, Transforms, View, anderson_farrell, random_features
from tests.problems import correlation, sierpinski


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def triangle(**options) -> FractalGenerator:
    """The Sierpinski triangle with the corners (0, 0), (1, 0), (0, 1), in a window of 1."""
    return FractalGenerator(FractalEmbedding(sierpinski(torch.float32), "raw"), window=1.0, **options)


def colored() -> FractalGenerator:
    transforms = anderson_farrell(2, 4, seeded())
    features = random_features(transforms.b, 3, seeded(1))
    return FractalGenerator(FractalEmbedding(transforms, features=features))


def test_first_coordinate_of_the_plane_runs_down() -> None:
    alpha = triangle().picture(0, size=64).alpha
    rows, columns = (alpha.sum(1) > 0).nonzero(), (alpha.sum(0) > 0).nonzero()
    assert rows.min() >= 31  # nothing above the middle, nothing to the left of it
    assert columns.min() >= 31
    assert alpha[63, 32] > 0.3  # the corner (1, 0)
    assert alpha[32, 63] > 0.3
    assert alpha[63, 63] == 0


def test_corner_of_the_triangle_is_a_triangle_at_every_zoom() -> None:
    whole = triangle().picture(0, size=64, zoom=2, center=(0.5, 0.5)).alpha
    for level in (4, 28):
        half = 0.5 ** (level + 1)
        part = triangle().picture(0, size=64, zoom=1 / half, center=(half, half)).alpha
        assert correlation(part[:-2, :-2], whole[:-2, :-2]) > 0.95


def test_zoom_without_center_shows_a_part_of_the_fractal() -> None:
    for generator in (triangle(), colored()):
        view = generator.view(0, 1e6, None)
        assert max(map(abs, view.center)) <= 0.9 * generator.window
        assert (generator.picture(0, size=32, zoom=1e6).alpha > 0).float().mean() > 0.02


def test_picture_of_color_has_the_colors_of_the_fractal() -> None:
    layer = colored().picture(1, size=48)
    assert layer.colors.shape == (3, 48, 48)
    dense = layer.alpha > 0.95
    own = (layer.colors / layer.alpha)[:, dense]
    values = colored().embedding.features.values[1]
    assert (own.amin(1) >= values.amin(0) - 1e-4).all()
    assert (own.amax(1) <= values.amax(0) + 1e-4).all()


def test_same_seed_same_bits_and_jitter_does_not_matter() -> None:
    pictures = [
        triangle(jitter=jitter).picture(0, size=32, seed=seed) for jitter, seed in ((0, 0), (0.3, 0), (0, 1))
    ]
    assert pictures[0].alpha.equal(pictures[1].alpha)
    assert not pictures[0].alpha.equal(pictures[2].alpha)


def test_larger_picture_shows_the_same_in_more_detail() -> None:
    large = triangle().picture(0, size=256).alpha
    small = triangle().picture(0, size=64).alpha
    shrunk = torch.nn.functional.avg_pool2d(large[None], 4)[0]
    assert correlation(shrunk, small) > 0.9


@pytest.mark.parametrize("zoom", [1e6, 1e9])
def test_deep_zooms_show_something(zoom: float) -> None:
    generator = FractalGenerator.from_pretrained("digits")
    for index in (7, 23, 64):
        assert (generator.picture(index, size=32, zoom=zoom).alpha > 0).float().mean() > 0.02


def test_draw_of_a_view_of_nothing_is_the_background() -> None:
    assert not triangle().draw([0], seeded(), zoom=2, center=(100.0, 100.0)).any()
    empty = torch.zeros(0, dtype=torch.long)
    assert triangle(image_size=20).draw(empty, seeded(), zoom=2).shape == (0, 1, 20, 20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be >= 1, got 0"),
        ({"size": 100_000}, "size must be <= 8192"),
        ({"zoom": 0.0}, "zoom must be >= 0.001"),
        ({"zoom": 1e10}, "zoom must be <= 1"),
        ({"zoom": float("nan")}, "zoom must be"),
    ],
)
def test_values_out_of_range_are_refused(options, message) -> None:
    with pytest.raises(InputError, match=message):
        triangle().picture(0, **options)
    with pytest.raises(IndexError, match="out of range for 1 fractals"):
        triangle().picture(1)


def test_draw_of_a_view_looks_like_the_crop_of_a_larger_image() -> None:
    """A quarter of an image of 64 pixels is the view of 32 pixels at zoom 2, with the same tau."""
    generator = triangle(image_size=64, num_points=4000, tau=2.0)
    whole = generator.draw([0], seeded())[0, 0].detach()
    corner = View((0.5, 0.5), 0.5)
    part = triangle(image_size=32, num_points=4000, tau=2.0).draw([0], seeded(), zoom=2, center=corner.center)
    assert correlation(part[0, 0], whole[32:, 32:]) > 0.9


def test_draw_of_views_has_the_shape_of_other_images() -> None:
    images = colored().draw([0, 1, 1], seeded(), size=24, zoom=1e4)
    assert images.shape == (3, 3, 24, 24)
    assert images.min() >= 0
    assert images.max() <= 1
    assert (images[1] - images[2]).abs().max() > 0
    again = colored().draw([0, 1, 1], seeded(), size=24, zoom=1e4)
    assert images.equal(again)


def test_draw_without_a_view_is_as_before() -> None:
    generator = triangle(jitter=0.05)
    plain = generator.draw([0, 0], seeded())
    assert plain.equal(generator.draw([0, 0], seeded(), zoom=1.0, center=None))


def test_morph_starts_and_ends_at_the_two_fractals() -> None:
    generator = colored()
    first, second = generator.one(0)[0], generator.one(1)[0]
    target = matched(first, second)
    for share, expected in ((0.0, first), (1.0, target)):
        for tensor, other in zip(between(first, target, share).tensors, expected.tensors, strict=True):
            assert torch.allclose(tensor, other, atol=1e-6)
    norms = torch.linalg.matrix_norm(between(first, target, 0.5).transforms.A, 2)
    assert norms.max() < 1


def test_matching_finds_the_same_transforms_in_another_order() -> None:
    first = colored().one(0)[0]
    order = torch.tensor([2, 0, 3, 1])
    (A, b), (values, blend, background) = first
    shuffled = Fractals(Transforms(A[order], b[order]), Features(values[order], blend[order], background))
    for tensor, other in zip(matched(first, shuffled).tensors, first.tensors, strict=True):
        assert tensor.equal(other)
