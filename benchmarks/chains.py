"""How fast a large image is drawn as one chain of the chaos game or as many: one JSON line for each number.

    python benchmarks/chains.py [--device cuda] [--num-points 500000] [--size 1024] [--repeats 7]

"ms" is the time of forward and backward, the median over the repeats, within which the numbers of chains
take turns; "ms_forward" is that of the forward pass alone. "ratio" is the median of the ratios to one chain
of the same repeat, above 1 if many chains are faster. The fractal is a Sierpinski triangle, drawn by the
fused backend of the device.
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes, as in fractalgan/__main__.py
import torch
from render import wait
from textbook import TEXTBOOK, textbook_fractal

from fractalgan.ops import Transforms, render

CHAINS = (1, 2, 8, 64, 512)
WINDOW, TAU = 2.5, 0.3


def times(transforms: Transforms, chains: int, num_points: int, size: int) -> tuple[float, float]:
    """The seconds of a forward pass, and of forward and backward."""
    device = transforms.b.device
    random = torch.Generator().manual_seed(0)
    sequences = torch.randint(transforms.b.shape[1], (1, chains, num_points // chains), generator=random)
    sequences, fractals = sequences.to(device), torch.zeros(1, dtype=torch.int64, device=device)
    wait(sequences)
    begun = time.perf_counter()
    image = render(transforms, fractals, sequences, size=(size, size), window=WINDOW, tau=TAU)
    wait(image)
    drawn = time.perf_counter()
    torch.autograd.grad(image.sum(), transforms)
    wait(image)
    return drawn - begun, time.perf_counter() - begun


def main() -> None:
    """Measure all numbers of chains in turns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--num-points", type=int, default=500_000)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    A, b = textbook_fractal(TEXTBOOK["triangle (Sierpinski)"])
    transforms = Transforms(*(each.float().to(options.device).requires_grad_() for each in (A, b)))
    rows = []
    for repeat in range(1 + options.repeats):
        row = {chains: times(transforms, chains, options.num_points, options.size) for chains in CHAINS}
        rows += [row] if repeat else []  # the first one compiles
    for chains in CHAINS:
        forward, both = (1e3 * statistics.median(row[chains][k] for row in rows) for k in (0, 1))
        ratio = statistics.median(row[1][1] / row[chains][1] for row in rows)
        drawn = options.num_points // chains * chains
        line = {"chains": chains, "num_points": drawn, "size": options.size}
        line |= {"ms_forward": round(forward, 2), "ms": round(both, 2), "ratio": round(ratio, 2)}
        print(json.dumps(line | {"device": options.device, "threads": torch.get_num_threads()}), flush=True)


if __name__ == "__main__":
    main()
