"""Reconstructions in gray levels and colors, and what they are compared with: a line of JSON per case.

    python benchmarks/colors.py --emoji FOLDER --root FOLDER --out docs/color/colors.jsonl [--cases NAME ...]
        [--seeds 0 1 2] [--pictures docs/color]

Cases that are in the file already are left out, so that the command can be repeated until all are there.
Each is a command line of its own, which is in its line: FOLDER has the emoji of the case, ROOT is --root.
"constant" is the MSE of the best constant color of each target; "mse_min" and "mse_mean" are of 100 fresh
images per target, as in Section 4 of the paper.
--emoji is a folder of pictures, of which the first by name are taken; --root has FashionMNIST/.
--trials runs variants of the recipes instead; with another folder, none of the images of the cases is used.
--pictures draws the targets, to the left, and what the fractals of the first seed draw.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from fractalgan import FractalGenerator, TargetData
from fractalgan.callbacks import save_picture
from fractalgan.callbacks.pictures import side_by_side
from fractalgan.nn.grid import grid

MANY, PICTURE = ("--config", "reconstruction_color_32px.yaml"), ("--config", "reconstruction_color.yaml")
BLACK_AND_WHITE = ("--config", "reconstruction_32px.yaml")
BUDGET = ("--trainer.max_steps", "500", "--model.num_sequences", "20", "--model.halvings", "[25, 50, 100]")
GRAY = (
    *("--data.channels", "1", "--data.background", "white", "--data.invert", "false"),
    *("--model.features", "1"),
)
FASHION = ("--data.name", "FashionMNIST", "--data.count", "200")

# The number of emoji that a case takes, and its options.
CASES: dict[str, tuple[int, tuple[str, ...]]] = {
    "emoji": (100, MANY),
    "emoji, gray": (100, (*MANY, *GRAY)),
    "fashion": (0, (*MANY, *FASHION, "--model.features", "1")),
    "fashion, black and white": (0, (*BLACK_AND_WHITE, *FASHION, *BUDGET)),
    "emoji, 128 px": (20, PICTURE),
    "photographs, 10 transforms": (0, (*PICTURE, "--data.name", "photographs", "--data.size", "256")),
    "photographs, 50 transforms": (
        0,
        (*PICTURE, "--data.name", "photographs", "--data.size", "256", "--model.num_transforms", "50"),
    ),
}

# Variants of the recipe, to be tried on pictures and training images that the cases do not have.
SHORT = (*MANY, "--trainer.max_steps", "250", "--model.num_sequences", "16")
PICTURES = (*PICTURE, "--model.coverage", "4")
TRAINING = (*SHORT, *FASHION[:2], "--data.split", "train", "--data.count", "20", "--model.features", "1")
TRIALS: dict[str, tuple[int, tuple[str, ...]]] = {
    **{f"tau {tau}": (20, (*SHORT, "--model.tau", tau)) for tau in ("1", "2", "3")},
    "random start": (20, (*SHORT, "--model.start", "anderson-farrell")),
    **{f"lr {rate}": (20, (*SHORT, "--model.lr", rate)) for rate in ("0.05", "0.2")},
    **{f"fashion, tau {tau}": (0, (*TRAINING, "--model.tau", tau)) for tau in ("1.4", "2", "3")},
    **{f"128 px, tau {tau}": (4, (*PICTURES, "--model.tau", tau)) for tau in ("1", "4", "8")},
    **{f"128 px, lr {rate}": (4, (*PICTURES, "--model.lr", rate)) for rate in ("0.05", "0.2")},
    "128 px, coverage 8": (4, PICTURE),
}


def main() -> None:
    """Run the cases that are not in the file yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--emoji", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--trials", dest="cases", action="store_const", const=[*TRIALS])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    lines = given.out.read_text().splitlines() if given.out.exists() else []
    done = {(line["case"], line["seed"]) for line in map(json.loads, lines)}
    for seed in given.seeds:
        for case in given.cases:
            if (case, seed) not in done:
                line = json.dumps(measure(case, seed, given))
                print(line, flush=True)
                given.out.parent.mkdir(parents=True, exist_ok=True)
                with given.out.open("a") as file:
                    file.write(f"{line}\n")


def measure(case: str, seed: int, given: argparse.Namespace) -> dict[str, object]:
    """Fit the targets of a case by the command line."""
    count, options = (CASES | TRIALS)[case]
    with tempfile.TemporaryDirectory() as temporary:
        folder, run = Path(temporary) / "pictures", Path(temporary) / "run"
        if count:
            folder.mkdir()
            for path in sorted(given.emoji.glob("*.png"))[:count]:
                shutil.copy(path, folder)
            options = (*options, "--data.path", str(folder))
        if "FashionMNIST" in options:
            options = (*options, "--data.root", str(given.root))
        command = ["-m", "fractalgan", "fit", *options, "--seed_everything", str(seed), "--run", str(run)]
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        content = json.loads((run / "fractals.json").read_text())
        targets = targets_of(options, content["image_size"])
        if given.pictures and seed == given.seeds[0]:
            drawn = FractalGenerator.from_pretrained(run / "fractals.safetensors").draw(
                range(len(targets)), torch.Generator().manual_seed(0)
            )
            pictures = [to_pil_image(grid(each[:100])) for each in (targets, drawn)]
            name = case.replace(", ", "_").replace(" ", "_")
            save_picture(given.pictures / f"{name}.png", side_by_side(pictures))
    folders = {str(folder): "FOLDER", str(given.root): "ROOT"}
    constant = (targets - targets.mean((2, 3), keepdim=True)).square().mean()
    return {
        "case": case,
        "seed": seed,
        "targets": len(targets),
        "mse_min": round(content["scores"]["mse_min"], 5),
        "mse_mean": round(content["scores"]["mse_mean"], 5),
        "constant": round(constant.item(), 5),
        "command": shlex.join(["fit", *(folders.get(option, option) for option in options)]),
    }


def targets_of(options: tuple[str, ...], size: int) -> Tensor:
    """The images [n, C, size, size] that a command line reconstructs."""
    values = dict(zip(options[::2], options[1::2], strict=True))
    wanted = {name: values.get(f"--data.{name}") for name in ("name", "path", "root", "background")}
    count = values.get("--data.count")
    data = TargetData(
        **{name: value for name, value in wanted.items() if value},  # type: ignore[arg-type]
        count=None if count is None else int(count),
        split="train" if values.get("--data.split") == "train" else "test",
        size=size,
        channels=1 if values.get("--data.channels") == "1" else "auto",
        invert="auto" if values.get("--data.invert") is None else False,
    )
    data.prepare_data()
    data.setup()
    assert data.targets is not None
    return data.targets


if __name__ == "__main__":
    main()
