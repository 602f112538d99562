import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from fractalgan.nn import FrechetPixels, frechet_distance


class Tiles(nn.Module):
    num_features = 64

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images, 8).flatten(1)


def test_distance_of_diagonal_gaussians_in_closed_form() -> None:
    mean_a, mean_b = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.0])
    a, b = torch.tensor([4.0, 1.0]), torch.tensor([9.0, 0.0])
    # 2^2 + (2 - 3)^2 + (1 - 0)^2
    assert frechet_distance(mean_a, a.diag(), mean_b, b.diag()) == pytest.approx(6.0)


def test_metric_agrees_with_torchmetrics_on_the_same_features() -> None:
    ours, theirs = FrechetPixels(), FrechetInceptionDistance(feature=Tiles(), normalize=True)
    random = torch.Generator().manual_seed(0)
    for _ in range(3):
        real = torch.rand(100, 1, 32, 32, generator=random)
        fake = torch.rand(100, 1, 32, 32, generator=random) ** 2
        for metric in (ours, theirs):
            metric.update(real, real=True)
            metric.update(fake, real=False)
    assert ours.compute() == pytest.approx(theirs.compute().item(), rel=1e-3)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_few_binary_images_have_a_distance(count: int) -> None:
    metric = FrechetPixels()
    real, fake = ((torch.rand(count, 1, 16, 16) > 0.5).float() for _ in range(2))
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert metric.compute() > 0
    metric.reset()
    metric.update(real, real=True)
    metric.update(real, real=False)
    assert metric.compute() == pytest.approx(0, abs=1e-5)
