"""FractalGAN with and without its parts: one JSON line per data set, recipe and seed.

    python benchmarks/gan_recipes.py --data digits MNIST FashionMNIST --seeds 0 1 2 > gan_recipes.jsonl
    python benchmarks/gan_recipes.py --data /tmp/glyphs --recipes default previous

Each is a run of `fit` with the metrics of its last validation; --runs is the folder of the runs, whose
pictures can be looked at. Finished runs there are not repeated, and interrupted ones are resumed. Options
that are not named here are passed to every `fit`, such as `--trainer.max_steps 1000`.
"""

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes, as in fractalgan/__main__.py
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
from fractalgan.cli import program
from fractalgan.storage import RunFolder

PREVIOUS = ["probabilities=determinant", "sequences=random", "jitter=0.1", "tau=1", "generator_lr=0.02"]
RECIPES = {
    "default": [],
    "previous": ["prototypes=0", "generator_schedule=constant", *PREVIOUS],
    "previous-with-prototypes": ["generator_schedule=constant", *PREVIOUS],
    "no-prototypes": ["prototypes=0"],
    "untrained-discriminator": ["discriminator_lr=1e-12"],
    "tau-1": ["tau=1"],
    "previous-lr": ["generator_lr=0.02", "generator_schedule=constant"],
    "by-determinant": ["probabilities=determinant"],
    "random-sequences": ["sequences=random"],
    "jitter-0.1": ["jitter=0.1"],
    "collage": ["start=collage"],
}
CONFIGS = {
    "digits": "gan_digits.yaml",
    "MNIST": "gan_mnist.yaml",
    "FashionMNIST": "gan_fashion_mnist.yaml",
    "KMNIST": "gan_kmnist.yaml",
}
JUDGE = ["--trainer.callbacks+=fractalgan.callbacks.SetMetrics"]


def options_for(data: str, root: str) -> list[str]:
    """Options of `fit` for a data set, or for a folder of images."""
    if data not in CONFIGS:
        gray = ["--data.channels", "1"]  # as when the recipes were compared
        return ["--config", "gan_folder.yaml", "--data.root", data, *gray, *JUDGE]
    if data == "digits":
        return ["--config", CONFIGS[data], *JUDGE]
    return ["--config", CONFIGS[data], "--data.root", root]  # whose configurations have the judge


def fit(run: RunFolder, options: list[str]) -> dict[str, object]:
    """Run `fit` in this folder, or what is left of it, and return its summary."""
    with contextlib.redirect_stdout(sys.stderr):
        status = program.run(["fit", "--run", str(run), *options])
    if status:
        sys.exit(status)
    summary: dict[str, object] = json.loads(run.summary.read_text())
    return summary


def main() -> None:
    """Fit every combination, and print its metrics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["digits"], help="data sets, or folders of images")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="random seeds")
    parser.add_argument("--root", default="data", help="folder of downloaded data sets")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    known, others = parser.parse_known_args()
    for data in known.data:
        for recipe in known.recipes:
            for seed in known.seeds:
                cell = {"data": Path(data).name, "recipe": recipe, "seed": seed}
                run = RunFolder(known.runs / "-".join(map(str, cell.values())))
                recipe_options = [f"--model.{option}" for option in RECIPES[recipe]]
                seeded = ["--seed_everything", str(seed)]
                summary = fit(run, [*options_for(data, known.root), *recipe_options, *seeded, *others])
                measured = {name: summary[name] for name in ("step", "seconds")}
                print(json.dumps(cell | measured | {"metrics": summary["metrics"]}), flush=True)


if __name__ == "__main__":
    main()
