"""Make the learned fractals that ship with the project: NAME.safetensors, and a picture of them, NAME.png.

    python benchmarks/ship_fractals.py runs/gan-digits-1 digits

The fractals are those that the run ended with; the file says how they were learned. For a distillation, it
also has the provenance of the initial fractals.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import yaml
from torchvision.utils import save_image

from fractalgan import FractalGenerator
from fractalgan.errors import InputError
from fractalgan.storage import RunFolder, read_fractals, write_fractals

FOLDER = Path(__file__).parents[1] / "fractalgan" / "checkpoints"


def main() -> int:
    """Read the run and write both files; the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="the folder of a finished run of a task that learns fractals")
    parser.add_argument("name", help="the name of the fractals")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where the files go; default: fractalgan/checkpoints"
    )
    given = parser.parse_args()
    run = RunFolder(given.run)
    try:
        content = read_fractals(run.checkpoint("last"))
        found = provenance(run)
    except (InputError, OSError) as error:
        print(f"ship_fractals.py: error: {error}", file=sys.stderr)
        return 1
    write_fractals(given.folder / f"{given.name}.safetensors", content._replace(provenance=found))
    images, columns = gallery(FractalGenerator.of_file(content, run.last))
    save_image(images, given.folder / f"{given.name}.png", nrow=columns, padding=1, pad_value=0.3)
    print(f"{given.folder / given.name}.safetensors, .png: the fractals of {run}, step {found['step']}")
    return 0


@torch.no_grad()
def gallery(generator: FractalGenerator) -> tuple[torch.Tensor, int]:
    """An image of each fractal, without jitter, class by class, and the number of columns.

    A row is a class if all classes have equally many fractals; otherwise there are 20 columns.
    """
    embedding, columns = generator.embedding, 20
    order = torch.arange(len(embedding))
    if embedding.labels is not None:
        order = embedding.labels.argsort(stable=True)
        counts = embedding.labels.bincount(minlength=len(embedding.classes)).unique()
        columns = int(counts) if len(counts) == 1 else columns
    random = torch.Generator().manual_seed(0)
    return generator(order, generator.draw_sequences(order, random)), columns


def provenance(run: RunFolder) -> dict:
    """Data, options, seed, scores and version of the run. Raises InputError if it is not finished."""
    summary, options = json.loads(run.summary.read_text()), yaml.safe_load(run.config.read_text())
    if not summary["finished"] or summary["validated"] != summary["step"]:
        raise InputError(
            f"{run} is not finished, or was not validated at its end: fit --ckpt_path {run.last}"
        )
    data, recipe = options["data"]["init_args"], options["model"]["init_args"]
    start = recipe.pop("fractals", None)
    known = {} if start is None else {"initial_fractals": read_fractals(start).provenance}
    return known | {
        "data": {name: value for name, value in data.items() if name not in ("root", "seed")},
        "task": options["model"]["class_path"].rpartition(".")[2],
        "recipe": recipe,
        "seed": summary["seed"],
        "step": summary["step"],
        "scores": summary["metrics"],
        "version": summary["version"],
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
