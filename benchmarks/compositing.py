"""Rules by which the bumps at a pixel cover the background, compared: a line of JSON per rule.

    python benchmarks/compositing.py --emoji FOLDER [--count 20] [--seed 0]

With W the sum of the bumps at a pixel, the pixel is alpha F / W + (1 - alpha) background; the rules differ in
alpha. Each reconstructs the same pictures with reconstruction_color_32px.yaml and 4,000 drawn images per
picture, and is scored by images that it draws itself. PyTorch's operators draw, so that autograd works.
"""

import argparse
import importlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from fractalgan.cli.program import run

RULES: dict[str, Callable[[Tensor], Tensor]] = {
    "min(W, 1)": lambda W: W.clamp_max(1),
    "1 - exp(-W)": lambda W: 1 - (-W).exp(),
    "1 - exp(-1.5 W)": lambda W: 1 - (-1.5 * W).exp(),
    "1 - exp(-3 W)": lambda W: 1 - (-3 * W).exp(),
    "log(1 + W) / log(1 + max W)": lambda W: W.log1p() / W.amax((2, 3), keepdim=True).log1p().clamp_min(1e-6),
}

RECIPE = ("--config", "reconstruction_color_32px.yaml", "--trainer.max_steps", "250")
RECIPE += ("--model.num_sequences", "16")


def main() -> None:
    """Reconstruct the pictures by each rule."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--emoji", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20, help="The first pictures of the folder, by name.")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rendering = importlib.import_module("fractalgan.ops.render")
    rendering._choose = lambda *_: "torch"  # type: ignore[attr-defined]  # noqa: SLF001
    for name, alpha in RULES.items():
        rendering.composite = composed_by(alpha)  # type: ignore[attr-defined]
        with tempfile.TemporaryDirectory() as temporary:
            pictures, folder = Path(temporary) / "pictures", Path(temporary) / "run"
            pictures.mkdir()
            for path in sorted(given.emoji.glob("*.png"))[: given.count]:
                shutil.copy(path, pictures)
            options = (*RECIPE, "--seed_everything", str(given.seed), "--run", str(folder))
            run(["fit", *options, "--data.path", str(pictures), "--trainer.enable_progress_bar", "false"])
            scores = json.loads((folder / "fractals.json").read_text())["scores"]
        line = {"alpha": name, "targets": given.count, "seed": given.seed}
        line |= {score: round(scores[score], 5) for score in ("mse_min", "mse_mean")}
        print(json.dumps(line), flush=True)


def composed_by(alpha: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """`fractalgan.ops.composite` with another alpha."""

    def composite(sums: Tensor, background: Tensor) -> Tensor:
        weights, features = sums.split([1, sums.shape[1] - 1], 1)
        if not background.shape[1]:
            return alpha(weights)
        covered = alpha(weights)
        means = features / weights.clamp_min(torch.finfo(weights.dtype).tiny)
        return covered * means + (1 - covered) * background[..., None, None]

    return composite


if __name__ == "__main__":
    main()
