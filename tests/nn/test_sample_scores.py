"""Scores of drawn images beside real ones."""

import pytest
import torch

from fractalgan.nn import RealImages
from fractalgan.nn.sample_scores import compare_shapes


def patterns(count: int, seed: int = 0) -> torch.Tensor:
    """Images [count, 1, 16, 16] of ten kinds, which are random patterns; one pixel in twenty is another."""
    kinds = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(9)) > 0.5
    kinds = kinds.repeat_interleave(4, -1).repeat_interleave(4, -2)
    changed = torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(seed)) < 0.05
    return (kinds[torch.arange(count) % 10] ^ changed).float()


def test_real_images_themselves_are_perfect() -> None:
    real = patterns(20)
    scores = RealImages(real).scores([real])
    assert scores.nearest_real == pytest.approx(0, abs=1e-6)
    assert scores.nearest_drawn == pytest.approx(0, abs=1e-6)
    assert scores.shape_distance == pytest.approx(0, abs=1e-6)
    assert scores.coverage == 1


def test_other_images_of_the_same_kind_have_the_distances_of_real_ones() -> None:
    real, drawn = patterns(400), patterns(400, seed=1)
    reference = RealImages(real)
    scores = reference.scores([drawn])
    assert scores.nearest_real == pytest.approx(reference.nearest_other.item(), rel=0.05)
    assert 0.9 < scores.density < 1.6  # 1, but that many distances are equal and count as within
    assert scores.coverage > 0.9


def test_one_image_of_all_fractals_is_near_but_covers_little() -> None:
    """Near to the real ones, as a GAN that has lost its modes: only distances from real images show it."""
    real = patterns(100)
    scores = RealImages(real).scores([real[:1].expand(100, 1, 16, 16)])
    assert scores.nearest_real == pytest.approx(0, abs=1e-6)
    assert scores.nearest_drawn > 0.2
    assert scores.coverage < 0.3


def test_dust_is_far_from_everything() -> None:
    dust = (torch.rand(50, 1, 16, 16, generator=torch.Generator().manual_seed(3)) > 0.5).float()
    reference = RealImages(patterns(100))
    scores = reference.scores([dust])
    assert scores.nearest_real > 1.5 * reference.nearest_other
    assert scores.iou_real < 0.7 * scores.iou_other
    assert scores.density < 0.05
    assert scores.coverage < 0.05


def test_distances_are_shares_of_pixels_that_differ() -> None:
    """Of the best of a fractal's images; grey is black or white; the second real image is nobody's."""
    black = torch.zeros(1, 1, 16, 16)
    half = black.clone()
    half[..., :8] = 1
    quarter = 0.9 * half
    quarter[..., 8:, :] = 0.2
    reference = RealImages(torch.cat([black, half]))
    assert reference.nearest_other == pytest.approx(0.5)
    scores = reference.scores([half.flip(-1), quarter])  # two images of one fractal
    assert scores.nearest_real == pytest.approx(0.25)
    assert scores.nearest_drawn == pytest.approx(0.25)
    assert scores.iou_real == pytest.approx(0.5)  # a quarter, of the half
    assert scores.iou_drawn == pytest.approx(0.25)  # of the half; nothing covers the black image
    assert scores.iou_other == 0
    assert scores.shape_distance == pytest.approx(1 - 0.375)


def test_dots_in_the_place_of_thin_strokes_are_seen_by_iou_alone() -> None:
    """Few pixels differ between a dot and a stroke, but it covers little of the stroke."""
    real = torch.zeros(8, 1, 16, 16)
    for row in range(8):
        real[row, 0, 2 * row, :8] = 1
    dots = real.clone()
    dots[..., :7] = 0
    reference = RealImages(real)
    scores = reference.scores([dots])
    assert scores.nearest_real < 0.5 * reference.nearest_other
    assert scores.iou_real == pytest.approx(1 / 8)


def test_only_real_image_is_its_own_neighbor() -> None:
    real = patterns(1)
    scores = RealImages(real).scores([real])
    assert (scores.iou_real, scores.iou_other, scores.nearest_other, scores.coverage) == (1, 1, 0, 1)


def test_black_images_have_nothing_in_common() -> None:
    differ, iou = compare_shapes(torch.zeros(1, 4), torch.tensor([[0.0, 0, 0, 0], [1, 0, 0, 0]]))
    assert differ.tolist() == [[0, 0.25]]
    assert iou.tolist() == [[0, 0]]


def test_colors_are_compared_by_their_differences_from_the_background() -> None:
    """Pale squares on gray: an image has itself in common, and nothing with its negative."""
    images = torch.full((4, 3, 16, 16), 0.5)
    for k in range(4):
        images[k, k % 3, 4:12, 4 + k : 12] += 0.02
    scores = RealImages(images, binary=False).scores([images])
    assert scores.iou_real.item() == pytest.approx(1, abs=1e-3)
    assert scores.shape_distance.item() == pytest.approx(0, abs=1e-3)
    assert scores.nearest_real.item() == pytest.approx(0, abs=1e-6)
    negatives = RealImages(images, binary=False).scores([1 - images])
    assert negatives.iou_real == 0


def test_nearest_image_is_of_the_same_kind() -> None:
    assert (RealImages(patterns(50)).nearest(patterns(20, seed=1)) % 10).tolist() == list(range(10)) * 2
