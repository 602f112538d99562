"""`compare`: what fractals of several sources are worth for pre-training; by default, Figure 5."""

import json
import shutil

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import NonNegativeInt

from fractalgan.cli.command import prepare
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
from fractalgan.cli.fit import Watchers, train
from fractalgan.cli.linked_options import typed_options
from fractalgan.cli.repeated_warnings import repeated_warnings
from fractalgan.data import FractalData, ImageData
from fractalgan.errors import InputError
from fractalgan.experiments import Comparison, ComparisonPlan
from fractalgan.experiments.comparison_plan import LEARNED
from fractalgan.experiments.pretrained_features import SAMPLED_ONLY
from fractalgan.reports import Summary
from fractalgan.storage import RunFolder, newest_readable
from fractalgan.tasks import Classifier, Pretraining
from fractalgan.tasks.pretrained import KIND
from fractalgan.tasks.probe import PIXELS

# The parts of a comparison, and their arguments that it sets itself.
PARTS: dict[str, tuple[type, set[str]]] = {
    "data": (ImageData, IMAGES_SET),
    "pretraining": (Pretraining, {"fractals", "num_fractals", "image_size"}),
    "drawing": (
        FractalData,
        {"fractals", "fractals_copy", "num_fractals", "fractals_seed", "size", "num_workers", "seed"},
    ),
}

# The network is that of the pre-training.
FINETUNING_SET = CLASSIFIER_SET | set(KIND)

OF_GAN = ("plan.gan", "plan.gan_options", "seed_everything")  # which a comparison trains itself
OF_PRETRAINING = ("plan.steps", "plan.every")

CHANGEABLE = {"plan": {"seeds", "workers", "cluster"}, "data": {"root"}}


def compare(arguments: list[str]) -> int:
    """Run `compare`; the exit status."""
    parser = _make_parser()
    options = parse_experiment(parser, arguments)
    plan = ComparisonPlan(**vars(options.plan))
    parts = {name: vars(options[name]) for name in PARTS}
    comparison = Comparison(plan, **parts, finetuning=recipe_of(options.finetuning))
    real = comparison.check()
    _require_effects(arguments, plan)

    def run(folder: RunFolder) -> None:
        comparison.run(folder, real.source, lambda gan: _train_gan(options, gan))

    return run_experiment(parser, options, stem_of("compare", options.data), CHANGEABLE, run)


def _make_parser() -> ArgumentParser:
    parser = make_experiment_parser("compare")
    parser.add_argument("--seed_everything", type=NonNegativeInt, default=0, help="Random seed of the GAN.")
    parser.add_class_arguments(ComparisonPlan, "plan")
    for name, (part, skipped) in PARTS.items():
        parser.add_class_arguments(part, name, skip=skipped)
    add_recipe(parser, "finetuning", Classifier, FINETUNING_SET, steps=1000, batch_size=128)
    parser.set_defaults({"finetuning.optimizer": "AdamW", "finetuning.warmup": 0.05})
    return parser


def _require_effects(arguments: list[str], plan: ComparisonPlan) -> None:
    """Raise InputError for typed options of what the plan does not have; configurations may have them."""
    for option in typed_options(arguments):
        for reason, applies in _no_effect(option, plan):
            if applies:
                raise InputError(f"--{option} has no effect{reason}")


def _no_effect(option: str, plan: ComparisonPlan) -> list[tuple[str, bool]]:
    """The reasons why an option could have no effect, with what to do, and whether they apply."""
    part, _, name = option.partition(".")
    if part == "plan" and getattr(plan, name, None) in (None, []):
        return []
    not_learned = f", as {LEARNED} is not among --plan.sources: remove it"
    without_gan = ", as --plan.learned is given: remove it" if plan.learned else not_learned
    return [
        (without_gan, option in OF_GAN and not plan.trains_gan),
        (not_learned, option == "plan.gan_steps" and LEARNED not in plan.sources),
        (": add finetune to --plan.protocols", part == "finetuning" and "finetune" not in plan.protocols),
        (
            ": add perturbed to --plan.sources",
            option == "drawing.perturbation" and "perturbed" not in plan.sources,
        ),
        (
            " without random or perturbed in --plan.sources",
            part == "drawing" and name in SAMPLED_ONLY and not plan.sampled,
        ),
        (
            " without fractals in --plan.sources",
            (part == "drawing" or option in OF_PRETRAINING or (part == "pretraining" and name not in KIND))
            and not plan.pretrained,
        ),
        (" without a network in --plan.sources", part == "pretraining" and plan.sources == [PIXELS]),
        (", as no network is trained: remove it", option == "plan.precision" and not plan.trains_networks),
    ]


def _train_gan(options: Namespace, gan: RunFolder) -> None:
    """Train the GAN of a comparison in its folder, or resume it there, unless it is finished.

    Raises:
        InputError: for options that cannot be trained with.
        KeyboardInterrupt: with the name of the signal, if it is interrupted.
    """
    summary = Summary.read(gan)
    if summary is not None and summary.finished and newest_readable([gan.last]):
        return
    if gan.last_saved() is None:
        shutil.rmtree(gan.path, ignore_errors=True)  # of a run that saved nothing
        arguments = _gan_arguments(options)
    else:
        arguments = [f"--config={gan.config}"]
    with repeated_warnings() as warnings:
        outcome = train(prepare("fit", [*arguments, f"--run={gan}"]), Watchers(warnings=warnings))
    if outcome is None:
        return
    print("\n".join(outcome.summary.lines(outcome.run)))
    if not outcome.summary.finished:
        raise KeyboardInterrupt(outcome.signal_name)


def _gan_arguments(options: Namespace) -> list[str]:
    """The arguments of `fit` for a new GAN: the plan's configuration, on the images of the comparison."""
    config = [f"--config={options.plan.gan}"] if options.plan.gan else []
    images = {"class_path": "fractalgan.ImageData", "init_args": vars(options.data)}
    return [
        *config,
        f"--seed_everything={options.seed_everything}",
        "--trainer.devices=1",
        f"--data={json.dumps(images)}",
        *options.plan.gan_options,
    ]
