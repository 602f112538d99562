"""How near to a target as many free points come as a fractal draws: one JSON line per data set.

    python benchmarks/free_points.py [--data FashionMNIST fractaldb] [--root data] [--gray] [options]

The targets are those of Table 1, and points are drawn as there: 300 of them, tau 1. But here points move by
gradient descent wherever they lower the MSE; no fractal binds them, and the MSE is that of the same points.
Where few points would do, as in thin strokes, the others have to hide: points are also tried in equal piles,
and the best number of piles is taken for each target. As far as gradient descent finds the best places, no
fractal that draws such images has a lower MSE. "mse" is the mean over the targets, "by_piles" that for each
number of piles.
"""

import argparse
import json

import torch
from torch import Tensor
from torch.optim import Adam

from fractalgan.data import TargetData
from fractalgan.data.downloads import DOWNLOADED
from fractalgan.experiments.table1 import BINARIZE, load_targets
from fractalgan.nn import points_for, tau_for
from fractalgan.ops import splat_separable

PILES = (300, 150, 100, 75, 60, 50, 30, 25, 20, 15)  # those that divide the number of points are tried
LR = 0.1  # pixels per step at first; falls linearly to 0


def lowest_mse(targets: Tensor, piles: int, height: float, tau: float, steps: int) -> Tensor:
    """The MSE [n] of piles of points that start on bright pixels of targets [n, H, W] and descend on it.

    Args:
        targets: in [0, 1].
        piles: number of piles.
        height: points per pile.
        tau: squared width of a point, in pixels^2.
        steps: steps of gradient descent.
    """
    size, width = targets.shape[1:], targets.shape[2]
    random = torch.Generator().manual_seed(0)
    pixels = torch.multinomial(targets.flatten(1), piles, replacement=True, generator=random)
    points = torch.stack([pixels // width, pixels % width], -1).float()
    points += torch.rand(points.shape, generator=random) - 0.5
    points.requires_grad_()
    optimizer = Adam([points], lr=LR)
    mse = torch.zeros(len(targets))
    for step in range(steps + 1):
        optimizer.param_groups[0]["lr"] = LR * (1 - step / steps)
        optimizer.zero_grad()
        images = (height * splat_separable(points, size, tau)).clamp(max=1)
        mse = (images - targets).square().mean((1, 2))
        mse.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return mse.detach()


def main() -> None:
    """Print a line per data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=list(BINARIZE), default=["FashionMNIST", "fractaldb"])
    parser.add_argument("--root", default="data", help="folder of the downloaded data sets")
    parser.add_argument("--split", default="test")
    parser.add_argument("--count", type=int, default=200, help="targets per data set")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--gray", action="store_true", help="do not binarize the targets")
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    num_points, tau = points_for(options.size), tau_for(options.size)
    for name in options.data:
        data = TargetData(
            name,
            root=options.root if name in DOWNLOADED else None,
            split=options.split,
            count=options.count,
            size=options.size,
            binarize=None if options.gray else BINARIZE[name],
            invert=False,
        )
        targets = load_targets(data).squeeze(1)
        numbers = [piles for piles in PILES if num_points % piles == 0]
        found = [lowest_mse(targets, piles, num_points / piles, tau, options.steps) for piles in numbers]
        by_piles = {piles: round(mse.mean().item(), 4) for piles, mse in zip(numbers, found, strict=True)}
        lowest = torch.stack(found).amin(0).mean().item()
        line = {"data": name, "gray": options.gray, "targets": len(targets), "points": num_points}
        print(json.dumps(line | {"mse": round(lowest, 4), "by_piles": by_piles}), flush=True)


if __name__ == "__main__":
    main()
