"""`distill`: the table of labeled fractals, what a network learns from them and from stored images."""

from typing import Literal

from jsonargparse import ArgumentParser

from fractalgan.cli.experiment import (
    CLASSIFIER_SET,
    IMAGES_SET,
    add_recipe,
    make_experiment_parser,
    parse_experiment,
    recipe_of,
    run_experiment,
    stem_of,
)
from fractalgan.data import ImageData
from fractalgan.experiments import DistillationPlan, DistillationTable, StoredSets
from fractalgan.tasks import Classifier, Distillation, FractalGAN, Reconstruction

# The tasks of the table, their arguments that it sets itself, and their default steps and batch sizes.
TASKS: dict[str, tuple[type, set[str], int, int | None]] = {
    "classifier": (
        Classifier,
        CLASSIFIER_SET,
        1000,
        100,
    ),
    "reconstruction": (
        Reconstruction,
        {"num_targets", "num_transforms", "features", "image_size", "seed"},
        500,
        None,
    ),
    "gan": (
        FractalGAN,
        {"num_fractals", "num_transforms", "features", "image_size", "seed"},
        1500,
        100,
    ),
    "distillation": (
        Distillation,
        {"fractals", "image_size", "seed"},
        1000,
        512,
    ),
}

CHANGEABLE = {"plan": {"sources", "images_per_class", "seeds", "workers", "cluster"}, "data": {"root"}}


def distill(arguments: list[str]) -> int:
    """Run `distill`; the exit status."""
    parser = _make_parser()
    options = parse_experiment(parser, arguments)
    recipes = {name: recipe_of(options[name]) for name in TASKS}
    classifier = recipes.pop("classifier")
    plan = DistillationPlan(**vars(options.plan))
    table = DistillationTable(StoredSets(plan, vars(options.data), **recipes), classifier)
    table.check()
    return run_experiment(parser, options, stem_of("distill", options.data), CHANGEABLE, table.run)


def _make_parser() -> ArgumentParser:
    parser = make_experiment_parser("distill")
    parser.add_class_arguments(DistillationPlan, "plan")
    parser.add_class_arguments(ImageData, "data", skip=IMAGES_SET)
    for name, (task, skipped, steps, batch_size) in TASKS.items():
        add_recipe(parser, name, task, skipped, steps, batch_size)
    parser.add_argument(
        "--gan.binarize",
        type=float | Literal["auto"] | None,
        default="auto",
        help="Threshold of the real images that the GAN learns from, as for ImageData.",
    )
    parser.set_defaults({"gan.conditional": "projection"})
    return parser
