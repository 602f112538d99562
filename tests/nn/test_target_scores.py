"""Scores of fractals against their targets."""

import math

import pytest
import torch

from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.nn.target_scores import explodes, intersection_over_union, score_images
from fractalgan.ops import Transforms, anderson_farrell


def test_scores_by_hand() -> None:
    images = torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.0, 0.0]]).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 4)
    targets = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    scores = score_images(images, targets, torch.tensor([False, True]))
    assert scores.mse_min.tolist() == [0, 1]
    torch.testing.assert_close(scores.mse_mean, torch.tensor([1.25 / 3, 1.0]))
    assert scores.mse_max.tolist() == [1, 1]
    assert scores.exploded.tolist() == [0, 1]
    assert scores.psnr[0] > 300
    assert scores.psnr[1] == 0
    assert scores.iou.tolist() == [1, 0]


def test_mse_in_color_is_the_mean_over_channels_and_there_is_no_iou() -> None:
    images = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 4, 4)
    scores = score_images(images, torch.zeros(1, 3, 4, 4), torch.tensor([False]))
    assert scores.mse_min.item() == pytest.approx(1.25 / 3)
    assert scores.iou.isnan().all()


def test_intersection_over_union_counts_pixels_above_a_half() -> None:
    images = torch.tensor([[0.9, 0.6, 0.2, 0.5], [0.0, 0.0, 0.0, 0.0]]).view(2, 2, 2)
    targets = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.4, 0.0]]).view(2, 2, 2)
    assert intersection_over_union(images, targets).tolist() == pytest.approx([1 / 3, 1])


def test_fractals_whose_points_run_away_explode() -> None:
    A, b = (each.clone() for each in anderson_farrell(4, 3, torch.Generator().manual_seed(0)))
    A[1] = 3 * torch.eye(2)
    A[2] = math.nan
    generator = FractalGenerator(FractalEmbedding(Transforms(A, b), "raw"))
    assert explodes(generator, Transforms(A, b)).tolist() == [False, True, True, False]
