"""How near to a target as many free points come as a fractal draws: one JSON line per data set.

    python benchmarks/free_points.py [--data FashionMNIST fractaldb] [--root data] [--count 200] [--steps 800]

The targets are those of Table 1, and points are drawn as there: 300 of them, tau 1. But here each point
moves by gradient descent wherever it lowers the MSE; no fractal binds them, and no image is drawn anew. So a
fractal that draws such images can hardly have a lower MSE. "mse" and "iou" are means over the targets.
"""

import argparse
import json

import torch
from torch import Tensor
from torch.optim import Adam

from fractalgan.experiments import AblationPlan
from fractalgan.nn import intersection_over_union, points_for, tau_for
from fractalgan.ops import splat_separable

LR = 0.1  # pixels per step at first; falls linearly to 0


def fit_points(targets: Tensor, num_points: int, tau: float, steps: int, random: torch.Generator) -> Tensor:
    """Images [n, H, W] of points that start on bright pixels of targets [n, H, W] and descend on the MSE."""
    height, width = targets.shape[1:]
    pixels = torch.multinomial(targets.flatten(1), num_points, replacement=True, generator=random)
    points = torch.stack([pixels // width, pixels % width], -1).float()
    points += torch.rand(points.shape, generator=random) - 0.5
    points.requires_grad_()
    optimizer = Adam([points], lr=LR)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = LR * (1 - step / steps)
        optimizer.zero_grad()
        images = splat_separable(points, (height, width), tau).clamp(max=1)
        (images - targets).square().mean((1, 2)).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return splat_separable(points.detach(), (height, width), tau).clamp(max=1)


def main() -> None:
    """Print a line per data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["FashionMNIST", "fractaldb"])
    parser.add_argument("--root", default="data", help="folder of the downloaded data sets")
    parser.add_argument("--count", type=int, default=200, help="targets per data set")
    parser.add_argument("--steps", type=int, default=800)
    options = parser.parse_args()
    plan = AblationPlan(data=options.data, count=options.count, root=options.root)
    num_points, tau = points_for(plan.size), tau_for(plan.size)
    for name, each in plan.check().items():
        targets = each.squeeze(1)
        random = torch.Generator().manual_seed(0)
        images = fit_points(targets, num_points, tau, options.steps, random)
        mse = (images - targets).square().mean().item()
        iou = intersection_over_union(images, targets).mean().item()
        print(json.dumps({"data": name, "points": num_points, "mse": round(mse, 4), "iou": round(iou, 4)}))


if __name__ == "__main__":
    main()
