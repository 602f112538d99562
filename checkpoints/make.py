"""Make learned fractals that ship with the project, as NAME.safetensors and, to look at, NAME.png.

    python checkpoints/make.py runs/gan-digits-1 digits

The fractals are those that the run of FractalGAN ended with; the file says how they were learned.
"""

import argparse
import json
from pathlib import Path

import torch
import yaml
from torchvision.utils import save_image

from fractalgan import FractalGAN
from fractalgan.run_folder import RunFolder

HERE = Path(__file__).parent


def main() -> None:
    """Read the run, and write both files beside this one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="the folder of a finished run of FractalGAN")
    parser.add_argument("name", help="what they are called from then on")
    given = parser.parse_args()
    run = RunFolder(given.run)
    model = FractalGAN.load_from_checkpoint(run.last, map_location="cpu", weights_only=True)
    model.generator.save(HERE / f"{given.name}.safetensors", provenance(run))
    save_image(model.gallery(), HERE / f"{given.name}.png", nrow=20, padding=1, pad_value=0.3)


def provenance(run: RunFolder) -> dict:
    """Data, recipe, seed, scores and version of the run."""
    summary, options = json.loads(run.summary.read_text()), yaml.safe_load(run.config.read_text())
    data = options["data"]["init_args"]
    return {
        "data": {name: value for name, value in data.items() if name not in ("root", "seed")},
        "recipe": options["model"]["init_args"],
        "seed": summary["seed"],
        "step": summary["step"],
        "scores": summary["metrics"] if summary["validated"] == summary["step"] else {},
        "version": summary["version"],
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
