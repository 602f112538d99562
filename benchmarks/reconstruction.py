"""How fast images are reconstructed: one JSON line per number of targets.

    python benchmarks/reconstruction.py [--targets 10 100 400] [--steps 30] [options of `fit`]

Each step draws 50 images of every target, forward and backward, by the paper's recipe
(configs/reconstruction_paper.yaml) on random fractals; no pictures or checkpoints are written.
"outside_renderer" is the share of a step that is not spent in the kernels: random numbers, the embedding,
the loss, Adam, Lightning. Times are medians over the steps, after 5 warm-up steps; shares are of their sum.
For CPUs only: on a GPU the clock would measure the launch of kernels, not their work.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes, as in fractalgan/__main__.py
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
import torch
from clock import Clock

from fractalgan import Reconstruction
from fractalgan.cli import program
from fractalgan.nn import renderer, target_fractals
from fractalgan.ops import _fused

WARM_UP = 5
SEQUENCES = 50  # images per target and step
CONFIG = Path(__file__).parents[1] / "configs" / "reconstruction_paper.yaml"


def watch(clock: Clock) -> None:
    """Put the clock around the parts of a step."""
    for owner, name, part in [
        (renderer, "render", "rendering"),
        (_fused, "_draw_backward", "rendering"),
        (renderer.Renderer, "to_sequences", "sampling"),
        (target_fractals, "rows_for", "sampling"),
        (torch.optim.Adam, "step", "optimizer"),
    ]:
        clock.watch(owner, name, part)


def measure(clock: Clock, targets: int, steps: int, options: list[str]) -> dict[str, Any]:
    """Reconstruct this many targets, and return the times of a step."""
    clock.steps = [Counter()]  # up to the first step
    fit = ["fit", "--config", str(CONFIG), "--data.name=fractaldb", f"--data.count={targets}"]
    fit += [f"--trainer.fast_dev_run={WARM_UP + steps + 1}", *options]
    with contextlib.redirect_stdout(sys.stderr):
        status = program.run([*fit, f"--model.num_sequences={SEQUENCES}"])
    if status:
        sys.exit(status)
    counted = clock.steps[1 + WARM_UP : 1 + WARM_UP + steps]
    seconds = statistics.median(step.total() for step in counted)
    whole = sum(counted, Counter())
    share = {part: round(whole[part] / whole.total(), 3) for part in sorted(whole)}
    return {
        "targets": targets,
        "step_ms": round(1e3 * seconds, 2),
        "ms_per_target": round(1e3 * seconds / targets, 3),
        "images_per_second": round(SEQUENCES * targets / seconds),
        "outside_renderer": round(1 - share["rendering"], 3),
        "share": share,
        "minutes_for_100_targets_1000_steps": round(1000 * 100 * seconds / targets / 60, 2),
    }


def main() -> None:
    """Print one line per number of targets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", type=int, nargs="+", default=[10, 100, 400])
    parser.add_argument("--steps", type=int, default=30)
    given, options = parser.parse_known_args()
    with Clock() as clock:
        watch(clock)
        clock.begin_step_at(Reconstruction, "training_step")
        for targets in given.targets:
            print(json.dumps(measure(clock, targets, given.steps, options)), flush=True)


if __name__ == "__main__":
    main()
