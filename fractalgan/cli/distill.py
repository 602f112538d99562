"""`distill`: the table of labeled fractals, what a network learns from them and from stored images."""

from typing import Any, Literal

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from fractalgan.cli.experiment import (
    IMAGES_SET,
    make_experiment_parser,
    parse_experiment,
    run_experiment,
    stem_of,
)
from fractalgan.data import ImageData
from fractalgan.experiments import DistillationPlan, DistillationTable, Recipe, StoredSets
from fractalgan.tasks import Classifier, Distillation, FractalGAN, Reconstruction

# The tasks of the table, their arguments that it sets itself, and the defaults of their recipes.
TASKS: dict[str, tuple[type, set[str], dict[str, int]]] = {
    "classifier": (
        Classifier,
        {"num_classes", "image_size", "channels", "seed"},
        {"steps": 1000, "batch_size": 100},
    ),
    "reconstruction": (
        Reconstruction,
        {"num_targets", "num_transforms", "features", "image_size", "seed"},
        {"steps": 500},
    ),
    "gan": (
        FractalGAN,
        {"num_fractals", "num_transforms", "features", "image_size", "seed"},
        {"steps": 1500, "batch_size": 100},
    ),
    "distillation": (
        Distillation,
        {"fractals", "image_size", "seed"},
        {"steps": 1000, "batch_size": 512},
    ),
}

HELP = {"steps": "Training steps.", "batch_size": "Images per batch."}

CHANGEABLE = {"plan": {"sources", "images_per_class", "seeds", "workers"}, "data": {"root"}}


def distill(arguments: list[str]) -> int:
    """Run `distill`; the exit status."""
    parser = _make_parser()
    options = parse_experiment(parser, arguments)
    recipes = {name: _recipe(options[name]) for name in TASKS}
    classifier = recipes.pop("classifier")
    plan = DistillationPlan(**vars(options.plan))
    table = DistillationTable(StoredSets(plan, vars(options.data), **recipes), classifier)
    table.check()
    return run_experiment(parser, options, stem_of("distill", options.data), CHANGEABLE, table.run)


def _make_parser() -> ArgumentParser:
    parser = make_experiment_parser("distill")
    parser.add_class_arguments(DistillationPlan, "plan")
    parser.add_class_arguments(ImageData, "data", skip=IMAGES_SET)
    for name, (task, skipped, recipe) in TASKS.items():
        parser.add_class_arguments(task, name, skip=skipped)
        for option, default in recipe.items():
            parser.add_argument(f"--{name}.{option}", type=PositiveInt, default=default, help=HELP[option])
    parser.add_argument(
        "--gan.binarize",
        type=float | Literal["auto"] | None,
        default="auto",
        help="Threshold of the real images that the GAN learns from, as for ImageData.",
    )
    parser.set_defaults({"gan.conditional": "projection"})
    return parser


def _recipe(part: Namespace) -> Recipe:
    """How a task is trained: its arguments, and what is none of them."""
    arguments = dict(vars(part))
    own: dict[str, Any] = {
        name: arguments.pop(name) for name in ("steps", "batch_size", "binarize") if name in arguments
    }
    sizes = {name: int(value) for name, value in own.items() if name != "binarize"}
    return Recipe(**own | sizes, arguments=arguments)
