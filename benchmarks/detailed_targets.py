"""Figure 6: targets with fine detail, reconstructed one by one; one JSON line per target and size.

    python benchmarks/detailed_targets.py [--sizes 64 128 256] [--picture docs/table1/figure6.png] [options]

Twelve textbook fractals and twelve random ones, as in FractalDB, are drawn at every size and reconstructed
by the recipe for pictures (configs/reconstruction.yaml), each in a run of its own, as a user would. The first
four of both kinds are those of earlier versions of the figure. "mse", "psnr" and "iou" are those of the best
of 100 images, as in Table 1; "true" has the scores of the transforms that the target was drawn with, where
they are known, by the same renderer with the same number and width of points. "seconds" is the whole command
without the imports. Other options are those of `fit`.

--keep keeps the targets and the runs; docs/pictures/leaf.png is a target:

    python benchmarks/detailed_targets.py --sizes 128 --names "maple leaf" --keep leaf
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from textbook import TEXTBOOK, textbook_fractal
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize, to_pil_image
from torchvision.utils import make_grid

from fractalgan.callbacks import save_picture
from fractalgan.cli import program
from fractalgan.data.fractaldb import dense_chains, draw_fractals, fractaldb_images
from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.nn.target_scores import score_images
from fractalgan.ops import Transforms, fractaldb, move_to_window, points_of_chains

CONFIG = Path(__file__).parents[1] / "configs" / "reconstruction.yaml"
LEVEL = 0.2  # above which a pixel is white, as in Table 1
EARLIER, RANDOM = 4, 12  # random fractals
SEED = 1  # of random ones
SHOWN = 128  # pixels of a target in the picture
KEY = (0,)  # of the random numbers that targets are drawn with
DRAWN = 100  # images per fractal, as in Table 1


def fractals() -> dict[str, Transforms | None]:
    """The transforms of all targets, [1, N] each, by their names; None where they are not known."""
    found: dict[str, Transforms | None] = {name: textbook_fractal(rows) for name, rows in TEXTBOOK.items()}
    for k in range(RANDOM):
        random = torch.Generator().manual_seed(SEED * 1000 + k)
        found[f"random {k}"] = None if k < EARLIER else fractaldb(1, 2 + k % 5, random)
    return found


def targets(known: dict[str, Transforms | None], size: int) -> list[Tensor]:
    """Black-and-white images [1, size, size] in {0, 255}."""
    earlier = fractaldb_images(EARLIER, size, SEED)
    images = []
    for name, transforms in known.items():
        image = (
            earlier[int(name.split()[1])] if transforms is None else draw_fractals(transforms, [KEY], size)[0]
        )
        images.append(((image > 255 * LEVEL) * 255).to(torch.uint8))
    return images


def reconstruct(image: Tensor, size: int, run: Path, options: list[str]) -> dict[str, Any]:
    """Fit one fractal to an image in the folder ``run``, and return the content of its fractals.json."""
    picture = run.with_suffix(".png")
    save_picture(picture, to_pil_image(image))
    fit = ["fit", f"--config={CONFIG}", f"--data.path={picture}", f"--data.size={size}", f"--run={run}"]
    fit += ["--data.invert=false", "--trainer.enable_checkpointing=false"]
    with contextlib.redirect_stdout(sys.stderr):
        if status := program.run([*fit, *options]):
            sys.exit(status)
    content: dict[str, Any] = json.loads((run / "fractals.json").read_text())
    return content


def true_scores(transforms: Transforms, image: Tensor, size: int, like: FractalGenerator) -> dict[str, float]:
    """The scores of a target's own transforms, drawn as the learned ones are."""
    window = like.window * size / (size - 1)  # targets reach to the edges of their outer pixels
    points = points_of_chains(transforms, dense_chains(transforms, [KEY], size))
    filled = move_to_window(transforms, points, window)
    view = {
        name: getattr(like, name) for name in ("num_points", "window", "tau", "probabilities", "sequences")
    }
    generator = FractalGenerator(FractalEmbedding(filled, "raw"), size, **view)
    images = generator.draw([0] * DRAWN, torch.Generator().manual_seed(0)).detach()
    scores = score_images(images.squeeze(1)[None], image[None] / 255, torch.tensor([False]))
    return as_numbers({"mse": scores.mse_min, "iou": scores.iou})


@contextlib.contextmanager
def kept(folder: Path | None) -> Iterator[Path]:
    """A folder that is created and kept, or a temporary one."""
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def as_numbers(scores: dict[str, Any]) -> dict[str, float]:
    """Scores with four digits."""
    return {name: round(float(score), 4) for name, score in scores.items()}


def enlarged(images: list[Tensor]) -> Tensor:
    """Images [1, H, W] at the size at which they are shown."""
    return torch.stack([resize(each, [SHOWN, SHOWN], InterpolationMode.BILINEAR) for each in images])


def main() -> None:
    """Print a line per target and size; the picture has two rows per dozen, targets and reconstructions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    known = fractals()
    parser.add_argument(
        "--names", nargs="+", choices=[*known], default=[*known], help="targets; default: all"
    )
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for the targets and runs; default: none")
    given, options = parser.parse_known_args()
    chosen = {name: known[name] for name in given.names}
    for size in given.sizes:
        shown: list[Tensor] = []
        learned: list[Tensor] = []
        for (name, transforms), image in zip(chosen.items(), targets(chosen, size), strict=True):
            with kept(given.keep) as folder:
                begin = time.perf_counter()
                content = reconstruct(image, size, folder / f"{name} {size}", options)
                seconds = time.perf_counter() - begin
                fitted = FractalGenerator.from_pretrained(folder / f"{name} {size}" / "fractals.safetensors")
            scores = content["targets"][0]
            line = {"size": size, "target": name, "points": content["num_points"]}
            line |= as_numbers({"mse": scores["mse_min"], "psnr": scores["psnr"], "iou": scores["iou"]})
            line["seconds"] = round(seconds, 1)
            if transforms is not None:
                line["true"] = true_scores(transforms, image, size, fitted)
            print(json.dumps(line), flush=True)
            shown.append(image / 255)
            learned.append(fitted.draw(0, torch.Generator().manual_seed(0))[0].detach())
        if given.picture:
            rows = [
                part for k in range(0, len(shown), 12) for part in (shown[k : k + 12], learned[k : k + 12])
            ]
            grid = make_grid(torch.cat([enlarged(row) for row in rows]), min(12, len(shown)), pad_value=80)
            save_picture(given.picture.with_stem(f"{given.picture.stem}_{size}"), to_pil_image(grid))


if __name__ == "__main__":
    main()
