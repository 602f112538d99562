"""The Frechet distance between two sets of images, on coarse pixels in place of a network's features."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

TILES = 64  # 8 x 8, whose means are the features


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> Tensor:
    """Frechet distance of two Gaussians: means [D], covariances [D, D] (Dowson & Landau 1982).

    ||mean_a - mean_b||^2 + tr(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)). The trace of the root is computed
    from symmetric matrices, so that covariances may have any rank, as those of two images do.
    """
    root = _symmetric_root(cov_a)
    cross = _symmetric_root(root @ cov_b @ root)
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross.trace()
    return distance.clamp_min(0)


def _symmetric_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.mT
    return root


class FrechetPixels(Metric):
    """Frechet distance between real and drawn images, each represented by the means of its 8 x 8 tiles.

    It compares runs on one data set; it is not the Inception distance that papers report. Images are
    [B, C, H, W]; a covariance needs at least two of each kind.

    Args:
        channels: C.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        number = channels * TILES
        for kind in ("real", "fake"):
            self.add_state(f"{kind}_count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
            self.add_state(f"{kind}_sum", torch.zeros(number).double(), dist_reduce_fx="sum")
            self.add_state(f"{kind}_products", torch.zeros(number, number).double(), dist_reduce_fx="sum")

    def update(self, images: Tensor, *, real: bool) -> None:
        """Add images [B, C, H, W] to the real or to the drawn ones."""
        kind = "real" if real else "fake"
        features = F.adaptive_avg_pool2d(images.double(), 8).flatten(1)
        setattr(self, f"{kind}_count", getattr(self, f"{kind}_count") + len(features))
        setattr(self, f"{kind}_sum", getattr(self, f"{kind}_sum") + features.sum(0))
        setattr(self, f"{kind}_products", getattr(self, f"{kind}_products") + features.T @ features)

    def compute(self) -> Tensor:
        """The distance [] float32."""
        return frechet_distance(*self._gaussian("real"), *self._gaussian("fake")).float()

    def _gaussian(self, kind: str) -> tuple[Tensor, Tensor]:
        count = getattr(self, f"{kind}_count")
        mean = getattr(self, f"{kind}_sum") / count
        products = getattr(self, f"{kind}_products")
        return mean, (products - count * torch.outer(mean, mean)) / (count - 1)
