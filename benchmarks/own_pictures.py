"""Pictures such as people have, rebuilt at 256 pixels by the recipe for pictures; one JSON line per picture.

    python benchmarks/own_pictures.py [--size 256] [--picture docs/pictures/own_pictures.png] [options]

A cat, a leaf, a logo and a letter are drawn dark on white, as drawings are. Each is rebuilt by a command
line of its own; "seconds" is the whole command, with the start of Python and the imports.
Other options are those of `fit`.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image
from torchvision.utils import make_grid

from fractalgan import FractalGenerator
from fractalgan.callbacks import save_picture

SIDE = 512  # pixels of a drawing
BLACK, WHITE = 0, 255


def cat(draw: ImageDraw.ImageDraw) -> None:
    """A sitting cat from behind."""
    draw.ellipse((150, 210, 370, 490), BLACK)
    draw.ellipse((185, 90, 335, 240), BLACK)
    draw.polygon([(190, 150), (195, 50), (265, 105)], BLACK)
    draw.polygon([(330, 150), (325, 50), (255, 105)], BLACK)
    draw.arc((300, 330, 470, 490), -60, 140, BLACK, width=34)


def leaf(draw: ImageDraw.ImageDraw) -> None:
    """A leaf with its veins."""
    side = [(t, 0.32 * math.sin(math.pi * t) ** 0.8 * (1.25 - t / 2)) for t in (k / 60 for k in range(61))]
    outline = [*side, *((t, -width) for t, width in reversed(side))]
    draw.polygon([(256 + 512 * x, 40 + 400 * t) for t, x in outline], BLACK)
    draw.line((256, 60, 256, 500), BLACK, width=14)
    for k in range(1, 6):
        root = 80 + 60 * k
        for sign in (-1, 1):
            draw.line((256, root, 256 + sign * (150 - 14 * k), root - 70), WHITE, width=7)


def logo(draw: ImageDraw.ImageDraw) -> None:
    """A ring around three triangles."""
    draw.ellipse((40, 40, 472, 472), outline=BLACK, width=34)
    for x, y in ((256, 130), (186, 250), (326, 250)):
        draw.polygon([(x, y), (x - 66, y + 114), (x + 66, y + 114)], BLACK)


def letter(draw: ImageDraw.ImageDraw) -> None:
    """A letter of a font that comes with matplotlib."""
    path = font_manager.findfont("DejaVu Serif:bold", fallback_to_default=False)
    draw.text((SIDE // 2, SIDE // 2), "R", BLACK, ImageFont.truetype(path, 480), anchor="mm")


DRAWINGS: tuple[Callable[[ImageDraw.ImageDraw], None], ...] = (cat, leaf, logo, letter)


def main() -> None:
    """Print a line per picture; the image has the pictures above what their fractals draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--picture", type=Path)
    given, options = parser.parse_known_args()
    above, below = [], []
    for drawing in DRAWINGS:
        canvas = Image.new("L", (SIDE, SIDE), WHITE)
        drawing(ImageDraw.Draw(canvas))
        with tempfile.TemporaryDirectory() as folder:
            picture, run = Path(folder) / f"{drawing.__name__}.png", Path(folder) / "run"
            canvas.save(picture)
            command = [sys.executable, "-m", "fractalgan", "fit", "--config", "reconstruction.yaml"]
            command += ["--data.path", str(picture), "--data.size", str(given.size), "--run", str(run)]
            begin = time.perf_counter()
            subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - begin
            content = json.loads((run / "fractals.json").read_text())
            fractal = FractalGenerator.from_pretrained(run)
        scores = {name: round(content["targets"][0][name], 4) for name in ("mse_min", "psnr", "iou")}
        line = {"picture": drawing.__name__, "size": given.size, "points": content["num_points"]}
        print(json.dumps(line | scores | {"seconds": round(seconds, 1)}), flush=True)
        above.append(255 - pil_to_tensor(canvas.resize((given.size, given.size))))
        drawn = fractal.draw(0, torch.Generator().manual_seed(0))[0].detach()
        below.append(drawn.mul(255).round().byte())
    if given.picture:
        grid = make_grid([*above, *below], nrow=len(above), pad_value=80)
        save_picture(given.picture, to_pil_image(grid).convert("L"))


if __name__ == "__main__":
    main()
