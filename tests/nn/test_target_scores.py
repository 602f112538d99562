"""Scores of fractals against their targets."""

import math

import torch

from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.nn.target_scores import explodes, score_images
from fractalgan.ops import Transforms, anderson_farrell


def test_scores_by_hand() -> None:
    images = torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.0, 0.0]]).view(2, 3, 1, 1).expand(2, 3, 4, 4)
    targets = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    scores = score_images(images, targets, torch.tensor([False, True]))
    assert scores.mse_min.tolist() == [0, 1]
    torch.testing.assert_close(scores.mse_mean, torch.tensor([1.25 / 3, 1.0]))
    assert scores.mse_max.tolist() == [1, 1]
    assert scores.exploded.tolist() == [0, 1]


def test_fractals_whose_points_run_away_explode() -> None:
    A, b = (each.clone() for each in anderson_farrell(4, 3, torch.Generator().manual_seed(0)))
    A[1] = 3 * torch.eye(2)
    A[2] = math.nan
    generator = FractalGenerator(FractalEmbedding(Transforms(A, b), "raw"))
    assert explodes(generator, Transforms(A, b)).tolist() == [False, True, True, False]
