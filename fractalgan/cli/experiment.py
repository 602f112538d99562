"""What `compare`, `distill` and `ablate` share: options, and a run folder that can be resumed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from fractalgan.cli.config_files import parse_with_configs
from fractalgan.cli.option_difference import first_difference
from fractalgan.cli.parser import PARSER_OPTIONS
from fractalgan.cli.report import print_page
from fractalgan.cli.run_command import EXIT_STATUS
from fractalgan.cli.yaml_text import flat_options
from fractalgan.errors import InputError
from fractalgan.experiments import Recipe
from fractalgan.reports import format_commands, quote
from fractalgan.storage import RunFolder, atomic_write, record_start

# Arguments of ImageData that an experiment sets itself.
IMAGES_SET = {"binarize", "batch_size", "seed", "per_class", "exemplars", "choice"}

# Those of Classifier.
CLASSIFIER_SET = {"num_classes", "image_size", "channels", "backbone", "seed"}

# Options that may change when an experiment is resumed, by group.
Changeable = dict[str, set[str]]


def make_experiment_parser(verb: str) -> ArgumentParser:
    """A parser with the options that every experiment has."""
    parser = ArgumentParser(prog=f"fractalgan {verb}", description=None, **PARSER_OPTIONS)
    parser.add_argument("-c", "--config", action="config", help="YAML file with options.")
    parser.add_argument(
        "--run",
        type=str | None,
        default=None,
        help=f"Folder of the run, resumed if it exists; default: the next free of runs/{verb}-...",
    )
    return parser


def add_recipe(
    parser: ArgumentParser, name: str, task: type, skipped: set[str], steps: int, batch_size: int | None
) -> None:
    """Add the options of a task that an experiment trains, and its steps and batch size.

    Args:
        parser: of the experiment.
        name: of the group of options.
        task: whose arguments they are.
        skipped: arguments that the experiment sets itself.
        steps: default.
        batch_size: default; None for a task that determines it.
    """
    parser.add_class_arguments(task, name, skip=skipped)
    parser.add_argument(f"--{name}.steps", type=PositiveInt, default=steps, help="Training steps.")
    if batch_size is not None:
        option = f"--{name}.batch_size"
        parser.add_argument(option, type=PositiveInt, default=batch_size, help="Images per batch.")


def recipe_of(part: Namespace) -> Recipe:
    """How a task is trained: the options of its group that are arguments of it, and those that are not."""
    arguments = dict(vars(part))
    own: dict[str, Any] = {
        name: arguments.pop(name) for name in ("steps", "batch_size", "binarize") if name in arguments
    }
    sizes = {name: int(value) for name, value in own.items() if name != "binarize"}
    return Recipe(**own | sizes, arguments=arguments)


def parse_experiment(parser: ArgumentParser, arguments: list[str]) -> Namespace:
    """The options; those of a run that is resumed without ``--config`` are overridden by the arguments."""
    options = parse_with_configs(parser, arguments)
    if options.run and not options.config and (config := RunFolder(Path(options.run)).config).is_file():
        try:
            options = parse_with_configs(parser, ["--config", str(config), *arguments])
        except ArgumentError as error:
            raise InputError(f"{options.run} is not a run of this command: set another --run") from error
    return options


def run_experiment(
    parser: ArgumentParser,
    options: Namespace,
    stem: str,
    changeable: Changeable,
    run: Callable[[RunFolder], None],
) -> int:
    """Run an experiment in its folder, write its page, and return the exit status.

    Args:
        parser: as for :func:`experiment_folder`.
        options: as for :func:`experiment_folder`.
        stem: as for :func:`experiment_folder`.
        changeable: as for :func:`experiment_folder`.
        run: measures and reports, in the folder.

    Raises:
        InputError: as :func:`experiment_folder` and ``run`` do.
    """
    with experiment_folder(parser, options, stem, changeable) as folder:
        try:
            run(folder)
        except KeyboardInterrupt as stopped:
            _, _, verb = parser.prog.rpartition(" ")
            print("interrupted: finished cells are saved, those in progress will start again")
            print(*format_commands(resume=f"{verb} --run {quote(folder)}"))
            (signal_name,) = stopped.args or ("SIGINT",)
            return EXIT_STATUS[signal_name]
        print_page(folder)
    return 0


@contextmanager
def experiment_folder(
    parser: ArgumentParser, options: Namespace, stem: str, changeable: Changeable
) -> Iterator[RunFolder]:
    """The locked folder of an experiment that is resumed or new, with its options as config.yaml.

    Args:
        parser: of the options.
        options: the parsed options.
        stem: the name of a new folder without its number.
        changeable: the options that may differ from those that the experiment was started with.

    Raises:
        InputError: if any of the others differ, or if another program is writing to the folder.
    """
    kept = options.clone()
    kept.config = kept.run = None
    config = str(parser.dump(kept, skip_none=False))
    if options.run and (folder := RunFolder(Path(options.run))).config.is_file():
        started = _fixed_options(_started_with(parser, folder), changeable)
        if difference := first_difference(started, _fixed_options(config, changeable)):
            raise InputError(f"{folder} was started with different options ({difference}): set another --run")
    else:
        folder = RunFolder.create(Path(options.run)) if options.run else RunFolder.create_next(stem.lower())
    with folder.locked():
        atomic_write(folder.config, config)
        record_start(folder.environment)
        yield folder


def stem_of(verb: str, data: Namespace) -> str:
    """The name of a new folder without its number: the verb, and the data set or the folder of images."""
    own = data.name == "folder" and data.root
    return f"{verb}-{Path(data.root).resolve().name if own else data.name}"


def _started_with(parser: ArgumentParser, folder: RunFolder) -> str:
    """The config.yaml of a run, with the defaults of options that its version did not have."""
    started = parse_with_configs(parser, ["--config", str(folder.config)])
    started.config = started.run = None
    return str(parser.dump(started, skip_none=False))


def _fixed_options(config: str, changeable: Changeable) -> dict[str, Any]:
    """The options of a config.yaml that results depend on, by their full names."""
    ignored = {f"{group}.{name}" for group, names in changeable.items() for name in names}
    options = flat_options(yaml.safe_load(config)).items()
    return {name: value for name, value in options if name not in ignored}
