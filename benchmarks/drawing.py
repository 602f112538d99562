"""Pictures of fractals: seconds for 100 of them, and the time of a deep zoom relative to the whole fractal.

    python benchmarks/drawing.py [--source digits] [--size 1024] [--count 100] [--zooms 1e3 1e6 1e9]
        [--fractals 8] [--repeats 3]

Prints a line of JSON for all --count pictures, then one per zoom: the median over fractals of its time over
that of the whole fractal, in one run. The point to zoom into is looked for once, before, in "center_seconds".
"filled" is the mean share of pixels that are not empty.
"""

import argparse
import json
import statistics
import time

import torch

from fractalgan import FractalGenerator


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", default="digits")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--zooms", type=float, nargs="+", default=[1e3, 1e6, 1e9])
    parser.add_argument("--fractals", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    generator = FractalGenerator.from_pretrained(given.source)
    generator.picture(0, size=64)  # compiles
    started = time.perf_counter()
    for index in range(given.count):
        generator.picture(index, size=given.size)
    line = {"pictures": given.count, "size": given.size, "threads": torch.get_num_threads()}
    print(json.dumps(line | {"seconds": round(time.perf_counter() - started, 1)}), flush=True)
    measured = [measure(generator, index, given) for index in range(given.fractals)]
    for place, zoom in enumerate(given.zooms):
        cases = [zooms[place] for zooms in measured]
        medians = {name: round(statistics.median(each[name] for each in cases), 3) for name in cases[0]}
        print(json.dumps({"zoom": zoom, "fractals": given.fractals} | medians), flush=True)


def measure(generator: FractalGenerator, index: int, given: argparse.Namespace) -> list[dict[str, float]]:
    """The times of each zoom into a fractal, in turn with those of the whole."""
    started = time.perf_counter()
    center = generator.view(index, 2.0, None).center
    looking = time.perf_counter() - started
    found = []
    for zoom in given.zooms:
        ratios, filled = [], 0.0
        for _ in range(given.repeats):
            whole, _ = timed(generator, index, given.size, 1.0, None)
            part, filled = timed(generator, index, given.size, zoom, center)
            ratios.append(part / whole)
        found.append(
            {"time_over_whole": statistics.median(ratios), "filled": filled, "center_seconds": looking}
        )
    return found


def timed(
    generator: FractalGenerator, index: int, size: int, zoom: float, center: tuple[float, float] | None
) -> tuple[float, float]:
    """Seconds for one picture, and its share of pixels that are not empty."""
    started = time.perf_counter()
    alpha = generator.picture(index, size=size, zoom=zoom, center=center).alpha
    return time.perf_counter() - started, (alpha > 0).float().mean().item()


if __name__ == "__main__":
    main()
