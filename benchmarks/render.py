"""How fast fractals are drawn and differentiated: one JSON line per case.

    python benchmarks/render.py [--quick] [--device cuda] [--repeats 5]

The forms, from the paper's release to ours:
  literal    one image at a time, its T x H x W tensor built and summed by autograd
  dense      the same for a whole batch at once, in pieces that fit into memory
  separable  `backend="torch"`: one matrix product per image, handwritten gradients
  fused      the fused backend of the device

From the base case (B = 50, T = 300, 32 x 32 pixels) B, T and the size are changed one at a time.
"us_image" is the time of forward, or of forward and backward, per image: the median over the repeats. Forms
take turns within a repeat, so that a busy machine slows all of them down. Those that would take too long are
measured on fewer images ("images" says how many). Ratios are of times per image, above 1 if the form of the
line is faster. "peak_mb" is the additional memory of the process at its peak (null if the system does not
report it).

The floor, for a CPU, is about the lowest time of any form of Eq. 8 at this reach: for each point, in each of
the fused form's 2m x 2m pixels, one multiply-add forward and two backward, at the rate at which this machine
multiplies large matrices ("gflops", measured first). Exponentials are not counted: bumps come from a table.
"""

import argparse
import ctypes
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes, as in fractalgan/__main__.py
import torch
from torch import Tensor

from fractalgan.ops import (
    Transforms,
    anderson_farrell,
    bump_reach,
    determinant_probabilities,
    draw_sequences,
    iterate_points,
    render,
    splat_dense,
    start_points,
    to_pixels,
)

WINDOW, TAU, NUM_FRACTALS, NUM_TRANSFORMS = 2.5, 1.0, 100, 10
BASE = {"batch": 50, "num_points": 300, "size": 32}
OTHERS = {"batch": [1000, 10_000], "num_points": [1000, 10_000], "size": [64, 256]}
PIECE = 2**24  # largest number of entries of a T x H x W tensor in the dense form
# largest B x T x H x W of a batch; above it, a form is measured on fewer images
LARGEST = {"literal": 2**24, "dense": 2**26, "separable": 2**29, "fused": 2**62}
ENOUGH = 0.1  # seconds; what takes less is repeated

Draw = Callable[[Transforms, Tensor, Tensor, int], Tensor]


def dense(transforms: Transforms, fractals: Tensor, z: Tensor, size: int) -> Tensor:
    """A batch at once, in pieces."""
    piece = max(1, PIECE // (z.shape[1] * size * size))
    images = []
    for first in range(0, len(z), piece):
        part = fractals[first : first + piece]
        points = iterate_points(transforms, part, z[first : first + piece], start_points(transforms, part))
        images.append(splat_dense(to_pixels(points, (size, size), WINDOW), (size, size), TAU))
    return torch.cat(images).clamp_max(1)


def literal(transforms: Transforms, fractals: Tensor, z: Tensor, size: int) -> Tensor:
    """One image after the other, but their points together, which is faster than the release."""
    points = to_pixels(
        iterate_points(transforms, fractals, z, start_points(transforms, fractals)), (size, size), WINDOW
    )
    return torch.cat([splat_dense(each[None], (size, size), TAU).clamp_max(1) for each in points])


def by_backend(backend: Any) -> Draw:
    """The public op."""
    return lambda transforms, fractals, z, size: render(
        transforms, fractals, z, size=(size, size), window=WINDOW, tau=TAU, backend=backend
    )


FORMS: dict[str, Draw] = {
    "literal": literal,
    "dense": dense,
    "separable": by_backend("torch"),
    "fused": by_backend(None),
}


def problem(batch: int, num_points: int, device: str) -> tuple[Transforms, Tensor, Tensor]:
    """Random fractals, each equally often, and their index sequences."""
    random = torch.Generator().manual_seed(0)
    A, b = anderson_farrell(NUM_FRACTALS, NUM_TRANSFORMS, random)
    fractals = torch.arange(batch) % NUM_FRACTALS
    z = draw_sequences(determinant_probabilities(A), fractals, num_points, random)
    transforms = Transforms(A.to(device).requires_grad_(), b.to(device).requires_grad_())
    return transforms, fractals.to(device), z.to(device)


def run(draw: Draw, given: tuple[Transforms, Tensor, Tensor], size: int, backward: bool) -> float:
    """The seconds that one pass takes."""
    wait(given[1])
    begun = time.perf_counter()
    with torch.set_grad_enabled(backward):
        images = draw(*given, size)
    if backward:
        torch.autograd.grad(images, given[0], torch.ones_like(images))
    wait(given[1])
    return time.perf_counter() - begun


def wait(like: Tensor) -> None:
    """Wait for a GPU, whose calls return before the work is done."""
    if like.is_cuda:
        torch.cuda.synchronize()


def memory(action: Callable[[], Any], device: str) -> float | None:
    """The additional megabytes of an action at its peak."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        action()
        return round((torch.cuda.max_memory_allocated() - before) / 1e6, 1)
    status, forget = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not forget.exists():
        return None
    ctypes.CDLL(None).malloc_trim(0)  # return freed memory, or it would be reused unseen
    before = kilobytes(status, "VmRSS")
    forget.write_text("5")  # the peak is reset
    action()
    return round((kilobytes(status, "VmHWM") - before) / 1e3, 1)


def kilobytes(status: Path, name: str) -> int:
    """An entry of /proc/self/status."""
    return int(next(line for line in status.read_text().splitlines() if line.startswith(name)).split()[1])


def multiply_adds_a_second(device: str, side: int = 1024) -> float:
    """The rate of this machine on products of large matrices."""
    matrix = torch.rand(side, side, device=device)
    times = []
    for _ in range(10):
        wait(matrix)
        begun = time.perf_counter()
        matrix @ matrix
        wait(matrix)
        times.append(time.perf_counter() - begun)
    return side**3 / statistics.median(times)


def measure(case: dict[str, int], device: str, repeats: int, rate: float) -> None:
    """Print the lines of one case: each form, forward and forward + backward."""
    cost = case["num_points"] * case["size"] ** 2
    counts = {form: min(case["batch"], max(1, LARGEST[form] // cost)) for form in FORMS}
    given = {form: problem(count, case["num_points"], device) for form, count in counts.items()}
    reach = 2 * math.ceil(bump_reach(TAU))
    for backward in (False, True):
        actions = {form: partial(run, FORMS[form], given[form], case["size"], backward) for form in FORMS}
        peaks = {form: memory(action, device) for form, action in actions.items()}  # warms up, too
        loops = {form: math.ceil(ENOUGH / action()) for form, action in actions.items()}
        times: dict[str, list[float]] = {form: [] for form in FORMS}
        for _ in range(repeats):
            for form, action in actions.items():
                total = sum(action() for _ in range(loops[form]))
                times[form].append(total / loops[form] / counts[form])
        us = {form: 1e6 * statistics.median(each) for form, each in times.items()}
        operations = case["num_points"] * reach**2 * (3 if backward else 1)
        floor = 1e6 * operations / rate
        for form in FORMS:
            line = {
                "form": form, **case, "images": counts[form], "backward": backward,
                "us_image": round(us[form], 2), "images_s": round(1e6 / us[form]), "peak_mb": peaks[form],
                "ratio_to_literal": round(us["literal"] / us[form], 1),
                "ratio_to_separable": round(us["separable"] / us[form], 2),
            }  # fmt: skip
            if form == "fused":
                line |= {"multiply_adds": operations, "floor_us": round(floor, 3)}
                line["share_of_floor"] = round(floor / us[form], 3)
            print(json.dumps(line), flush=True)


def main() -> None:
    """Measure the base case and those that differ from it in one size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="measure the base case only")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rate = multiply_adds_a_second(options.device)
    name = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    about = {"device": options.device, "name": name, "threads": torch.get_num_threads()}
    print(json.dumps(about | {"torch": torch.__version__, "gflops": round(2 * rate / 1e9, 1)}), flush=True)
    cases = [BASE] + [BASE | {name: value} for name, values in OTHERS.items() for value in values]
    for case in cases[: 1 if options.quick else None]:
        measure(case, options.device, options.repeats, rate)


if __name__ == "__main__":
    main()
