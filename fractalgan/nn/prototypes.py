"""Prototypes: real images that stand for all, one per fractal, and the distance of drawn images from them."""

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

SEEDS = 2**32  # scikit-learn's random_state must be below
LEVELS = 3  # of a pyramid: the image, and its means over 2 x 2 and 4 x 4 pixels


def pyramid(images: Tensor) -> Tensor:
    """Features [B, D] of images [B, C, H, W] whose squared distances compare the images at several scales.

    The squared distance of two images is the sum of their MSE over the levels of an image pyramid.
    """
    levels = []
    for _ in range(LEVELS):
        levels.append(images.flatten(1) / images[0].numel() ** 0.5)
        images = F.avg_pool2d(images, 2, ceil_mode=True)
    return torch.cat(levels, 1)


def choose_prototypes(images: Tensor, count: int, seed: int) -> Tensor:
    """The images nearest to the centers of k-means clusters: ``count`` images [count, C, H, W].

    Args:
        images: [n, C, H, W] on the CPU; where n <= count, all are taken, in turn.
        count: number of prototypes.
        seed: random seed of the clustering.
    """
    if len(images) <= count:
        return images[torch.arange(count) % len(images)]
    features = pyramid(images)
    kmeans = MiniBatchKMeans(count, batch_size=1024, n_init=1, random_state=seed % SEEDS)
    clusters = kmeans.fit(features.numpy())
    centers = torch.from_numpy(clusters.cluster_centers_).to(features)
    return images[torch.cdist(centers, features).argmin(1)]


def prototype_order(drawn: Tensor, prototypes: Tensor, labels: Tensor | None = None) -> Tensor:
    """The order [J] of the prototypes [J, C, H, W] in which each is near to the drawn image in its place.

    Each is taken once, so that the sum of the squared distances of :func:`pyramid` is as small as possible.

    Args:
        drawn: [J, C, H, W].
        prototypes: [J, C, H, W].
        labels: the class [J] of the drawn image and of the prototype in each place; prototypes only change
            places within their class.
    """
    cost = torch.cdist(pyramid(drawn), pyramid(prototypes)).square()
    if labels is not None:
        cost[labels[:, None] != labels] = torch.inf
    _, columns = linear_sum_assignment(cost.cpu().numpy())
    return torch.from_numpy(columns).to(prototypes.device)


def prototype_distance(drawn: Tensor, prototypes: Tensor) -> Tensor:
    """The mean squared distance [] of images [B, C, H, W] from their prototypes, by :func:`pyramid`."""
    distances: Tensor = (pyramid(drawn) - pyramid(prototypes)).square().sum(1)
    return distances.mean()
