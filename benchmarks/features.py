"""What gray levels and colors cost the renderer: a JSON line per number of features K.

    python benchmarks/features.py [--features 0 1 3] [--device cuda] [--repeats 15]

1,000 images of 32 x 32 pixels and 300 points, of 100 fractals of ten transforms, are drawn and
differentiated: in the transforms, and for K > 0 in the features, their blend and the background. "ms" is the
median over the repeats, in which the K take turns, and "ratio" is that of the medians to K = 0.
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes, as in fractalgan/__main__.py
import torch

from fractalgan.ops import (
    Features,
    Transforms,
    anderson_farrell,
    determinant_probabilities,
    draw_sequences,
    render,
)

NUM_FRACTALS, NUM_TRANSFORMS, BATCH, NUM_POINTS, SIZE = 100, 10, 1000, 300, (32, 32)
WARM_UP = 3  # repeats


def main() -> None:
    """Measure all K in turns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", nargs="+", type=int, default=[0, 1, 3])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    times: dict[int, list[float]] = {number: [] for number in given.features}
    for repeat in range(WARM_UP + given.repeats):
        for number in given.features:
            seconds = step(number, given.device)
            if repeat >= WARM_UP:
                times[number].append(seconds)
    first = statistics.median(times[given.features[0]])
    for number, measured in times.items():
        median = statistics.median(measured)
        line = {"features": number, "ms": round(1000 * median, 2), "ratio": round(median / first, 2)}
        print(json.dumps(line | {"device": given.device, "threads": torch.get_num_threads()}))


def step(number: int, device: str) -> float:
    """Seconds that one step takes."""
    random = torch.Generator().manual_seed(0)
    transforms = anderson_farrell(NUM_FRACTALS, NUM_TRANSFORMS, random)
    fractals = torch.arange(BATCH) % NUM_FRACTALS
    sequences = draw_sequences(determinant_probabilities(transforms.A), fractals, NUM_POINTS, random)
    shapes = (NUM_FRACTALS, NUM_TRANSFORMS, number), (NUM_FRACTALS, NUM_TRANSFORMS), (NUM_FRACTALS, number)
    drawn = [torch.rand(shape, generator=random) for shape in shapes]
    learned = [each.to(device).requires_grad_() for each in (*transforms, *(drawn if number else []))]
    features = Features(*learned[2:]) if number else None
    fractals, sequences = fractals.to(device), sequences.to(device)
    synchronize(device)
    begin = time.perf_counter()
    images = render(Transforms(*learned[:2]), fractals, sequences, size=SIZE, window=2.5, features=features)
    torch.autograd.grad(images.sum(), learned)
    synchronize(device)
    return time.perf_counter() - begin


def synchronize(device: str) -> None:
    """Wait for the device, which a GPU would not be waited for otherwise."""
    if device != "cpu":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
