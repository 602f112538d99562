"""`compare`: Figure 5, what learned fractals are worth for pre-training, against random ones."""

import shutil
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import NonNegativeInt

from fractalgan.cli.command import prepare
from fractalgan.cli.experiment import (
    experiment_folder,
    make_experiment_parser,
    parse_experiment,
    say_how_to_resume,
)
from fractalgan.cli.fit import Watchers, train
from fractalgan.cli.repeated_warnings import repeated_warnings
from fractalgan.data import FractalData, ImageData
from fractalgan.experiments import Comparison, ComparisonPlan
from fractalgan.storage import RunFolder, find_config, read_checkpoint
from fractalgan.tasks import Pretraining

# The parts of a comparison, and their arguments that it sets itself.
PARTS: dict[str, tuple[type, set[str]]] = {
    "data": (ImageData, {"binarize", "batch_size", "seed"}),
    "pretraining": (Pretraining, {"fractals", "num_fractals", "image_size"}),
    "drawing": (
        FractalData,
        {"fractals", "fractals_copy", "num_fractals", "fractals_seed", "size", "num_workers", "seed"},
    ),
}

CHANGEABLE = {"plan": {"seeds", "workers"}, "data": {"root"}}


def compare(arguments: list[str]) -> int:
    """Run `compare`; the exit status."""
    parser = _make_parser()
    options = parse_experiment(parser, arguments)
    plan = ComparisonPlan(**vars(options.plan))
    comparison = Comparison(plan, **{name: vars(options[name]) for name in PARTS})
    real = comparison.check()
    with experiment_folder(parser, options, _stem(options), CHANGEABLE) as folder:
        try:
            comparison.run(folder, real.source, lambda gan: _train_gan(options, gan))
        except KeyboardInterrupt:
            return say_how_to_resume("compare", folder)
    return 0


def _make_parser() -> ArgumentParser:
    parser = make_experiment_parser("compare")
    parser.add_argument("--seed_everything", type=NonNegativeInt, default=0, help="Random seed of the GAN.")
    parser.add_class_arguments(ComparisonPlan, "plan")
    for name, (part, skipped) in PARTS.items():
        parser.add_class_arguments(part, name, skip=skipped)
    return parser


def _stem(options: Namespace) -> str:
    own = options.data.name == "folder" and options.data.root
    name = Path(options.data.root).resolve().name if own else options.data.name
    return f"compare-{name}"


def _train_gan(options: Namespace, gan: RunFolder) -> None:
    """Train the GAN of a comparison in its folder, or resume it there, unless it is finished.

    Raises:
        InputError: for options that cannot be trained with.
        KeyboardInterrupt: if it is interrupted.
    """
    if gan.last.is_file():
        max_steps = yaml.safe_load(gan.config.read_text())["trainer"]["max_steps"]
        if read_checkpoint(gan.last)["global_step"] >= max_steps:
            return
        arguments, base = [f"--ckpt_path={gan.last}"], None
    else:
        if not any(gan.checkpoints.glob("*.ckpt")):
            shutil.rmtree(gan.path, ignore_errors=True)  # of a run that saved nothing
        arguments, base = options.plan.gan_options, _gan_options(options, gan)
    with repeated_warnings() as warnings:
        outcome = train(prepare("fit", arguments, base), Watchers(warnings=warnings))
    if outcome is None:
        return
    print("\n".join(outcome.summary.lines(outcome.run)))
    if not outcome.summary.finished:
        raise KeyboardInterrupt


def _gan_options(options: Namespace, gan: RunFolder) -> dict[str, Any]:
    """The options of `fit` for a new GAN: the plan's configuration, on the images of the comparison."""
    config: dict[str, Any] = {}
    if options.plan.gan:
        config = yaml.safe_load(find_config(options.plan.gan).read_text())
    images = config.get("data", {}).get("init_args", {}) | vars(options.data)
    return config | {
        "run": str(gan),
        "seed_everything": options.seed_everything,
        "trainer": config.get("trainer", {}) | {"devices": 1},
        "data": {"class_path": "fractalgan.ImageData", "init_args": images},
    }
