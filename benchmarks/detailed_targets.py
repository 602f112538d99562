"""Figure 6: targets with fine detail at growing resolution; one JSON line per size, and the picture.

    python benchmarks/detailed_targets.py [--sizes 32 64 128] [--picture docs/table1/figure6.png] [options]

Four textbook fractals and four random ones, as in FractalDB, are drawn at every size and reconstructed by our
own recipe (configs/reconstruction.yaml), with points in proportion to the pixels, 300 at 32 x 32. The MSE is
that of 100 fresh images of each, lowest and mean, as in Table 1; "each" has the lowest of every target. Other
options are those of `fit`.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes, as in fractalgan/__main__.py
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize, to_pil_image
from torchvision.utils import make_grid

from fractalgan.callbacks import save_picture
from fractalgan.cli import program
from fractalgan.data.fractaldb import draw_fractals, fractaldb_images
from fractalgan.nn import FractalGenerator
from fractalgan.ops import Transforms

CONFIG = Path(__file__).parents[1] / "configs" / "reconstruction.yaml"
LEVEL = 0.2  # above which a pixel is white, as in Table 1
POINTS = 300  # at 32 x 32 pixels
OTHERS = 4  # random fractals
SHOWN = 128  # pixels of a target in the picture
RANDOM = 1  # others than those of Table 1

# Rows a, b, c, d, e, f of (x, y) -> (a x + b y + e, c x + d y + f), with y upwards.
TEXTBOOK = {
    "fern (Barnsley)": [
        [0.0, 0.0, 0.0, 0.16, 0.0, 0.0],
        [0.85, 0.04, -0.04, 0.85, 0.0, 1.6],
        [0.2, -0.26, 0.23, 0.22, 0.0, 1.6],
        [-0.15, 0.28, 0.26, 0.24, 0.0, 0.44],
    ],
    "triangle (Sierpinski)": [
        [0.5, 0.0, 0.0, 0.5, 0.0, 0.0],
        [0.5, 0.0, 0.0, 0.5, 0.5, 0.0],
        [0.5, 0.0, 0.0, 0.5, 0.25, 0.5],
    ],
    "dragon (Heighway)": [
        [0.5, -0.5, 0.5, 0.5, 0.0, 0.0],
        [-0.5, -0.5, 0.5, -0.5, 1.0, 0.0],
    ],
    "C curve (Levy)": [
        [0.5, -0.5, 0.5, 0.5, 0.0, 0.0],
        [0.5, 0.5, -0.5, 0.5, 0.5, 0.5],
    ],
}


def textbook_fractal(transforms: list[list[float]]) -> Transforms:
    """A textbook fractal in our convention: rows run downwards along the first coordinate."""
    a, b, c, d, e, f = torch.tensor(transforms).T
    A = torch.stack([d, -c, -b, a], -1).view(1, -1, 2, 2)
    return Transforms(A, torch.stack([-f, e], -1).unsqueeze(0))


def targets(size: int) -> dict[str, Tensor]:
    """Images [1, size, size] in {0, 255} by their names."""
    drawn = {name: draw_fractals(textbook_fractal(each), [(0,)], size)[0] for name, each in TEXTBOOK.items()}
    drawn |= {f"random {k}": each for k, each in enumerate(fractaldb_images(OTHERS, size, RANDOM))}
    return {name: ((image > 255 * LEVEL) * 255).to(torch.uint8) for name, image in drawn.items()}


def rebuild(images: dict[str, Tensor], size: int, run: Path, options: list[str]) -> dict:
    """Fit one fractal to each image in the folder ``run``, and return the content of its fractals.json."""
    pictures = run.with_name(f"{run.name}-targets")
    for number, image in enumerate(images.values()):
        save_picture(pictures / f"{number}.png", to_pil_image(image))
    fit = ["fit", f"--config={CONFIG}", f"--data.path={pictures}", f"--data.size={size}", f"--run={run}"]
    fit += [f"--model.num_points={POINTS * size**2 // 32**2}", "--trainer.enable_checkpointing=false"]
    with contextlib.redirect_stdout(sys.stderr):
        if status := program.run([*fit, *options]):
            sys.exit(status)
    return json.loads((run / "fractals.json").read_text())


def enlarged(images: Tensor) -> Tensor:
    """Images at the size at which they are shown, with square pixels."""
    return resize(images, [SHOWN, SHOWN], InterpolationMode.NEAREST)


def main() -> None:
    """Print a line per size; the picture has two rows per size, targets and reconstructions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--picture", type=Path)
    given, options = parser.parse_known_args()
    rows: list[Tensor] = []
    for size in given.sizes:
        images = targets(size)
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            found = rebuild(images, size, run, options)
            fitted = FractalGenerator.from_pretrained(run / "fractals.safetensors")
        each = [round(target["mse_min"], 4) for target in found["targets"]]
        mse = {name: round(value, 4) for name, value in found["scores"].items() if name.startswith("mse")}
        print(json.dumps({"size": size, "points": found["num_points"], **mse, "each": each}), flush=True)
        rebuilt = fitted.draw(torch.arange(len(images)), torch.Generator().manual_seed(0)).detach()
        rows += [enlarged(torch.stack([*images.values()]) / 255), enlarged(rebuilt)]
    if given.picture:
        save_picture(given.picture, to_pil_image(make_grid(torch.cat(rows), len(images), pad_value=80)))


if __name__ == "__main__":
    main()
