"""Where the time of one step of FractalGAN goes: one JSON line, in milliseconds per step and in shares.

    python benchmarks/gan_step.py [options of `fractalgan fit`, such as --data.batch_size 200]

It runs `fit` on the digits as a user would, with a clock around the parts; time inside a nested part counts
for that part alone. "discriminator" is its forward and backward passes, including those of the R1 penalty
and of the generator's loss, with the little that the embedding and the losses take in the same backward
passes; "rest" is Lightning's loop, the data and the callbacks. Figures are means over 200 steps, in which
R1 (every 8th) and logging (every 25th) have their share, after 20 warm-up steps and before the first
validation. For CPUs only: on a GPU the clock would measure the launch of kernels, not their work.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes, as in fractalgan/__main__.py
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
import torch
from clock import Clock
from pytorch_lightning import LightningModule

from fractalgan import FractalGAN
from fractalgan.cli import program
from fractalgan.nn import FractalGenerator, LeNet
from fractalgan.ops import _fused
from fractalgan.tasks import gan

WARM_UP, STEPS = 20, 200


def watch(clock: Clock) -> None:
    """Put the clock around the parts of a step."""
    for owner, name, part in [
        (FractalGenerator, "draw", "rendering"),
        (FractalGenerator, "sequences_for", "sampling"),
        (_fused, "_draw_backward", "rendering"),
        (LeNet, "forward", "discriminator"),
        (LightningModule, "manual_backward", "discriminator"),
        (gan, "r1_penalty", "discriminator"),
        (gan, "instance_noise", "noise"),
        (gan, "prototype_distance", "prototypes"),
        (torch.optim.Adam, "step", "optimizers"),
        (torch.optim.Adam, "zero_grad", "optimizers"),
        (FractalGAN, "require_finite", "finite checks"),
        (FractalGAN, "log", "logging"),
        (FractalGAN, "log_dict", "logging"),
    ]:
        clock.watch(owner, name, part)
    clock.begin_step_at(FractalGAN, "training_step")


def summary(steps: list[Counter[str]]) -> dict[str, Any]:
    """Means over the steps."""
    total = sum(steps, Counter())
    whole = total.total()
    return {
        "step_ms": round(1e3 * whole / len(steps), 2),
        "outside_discriminator": round(1 - total["discriminator"] / whole, 3),
        "ms": {part: round(1e3 * total[part] / len(steps), 2) for part in sorted(total)},
        "share": {part: round(total[part] / whole, 3) for part in sorted(total)},
    }


def main() -> int:
    """Run the fit, print the line, and return the fit's exit status."""
    with Clock() as clock, tempfile.TemporaryDirectory() as folder:
        watch(clock)
        limit = ["--trainer.max_steps", str(WARM_UP + STEPS + 1)]
        status = program.run(["fit", "--run", f"{folder}/run", *limit, *sys.argv[1:]])
    if status == 0:
        # the first entry is what came before the first step, the last holds what came after
        print(json.dumps(summary(clock.steps[1 + WARM_UP : 1 + WARM_UP + STEPS])))
    return status


if __name__ == "__main__":
    sys.exit(main())
