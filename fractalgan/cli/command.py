"""A command with one of Lightning's verbs, parsed and instantiated."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from jsonargparse import Namespace
from pytorch_lightning import LightningDataModule, seed_everything
from pytorch_lightning.cli import LightningArgumentParser

from fractalgan.cli.hyper_parameters import take_hyper_parameters
from fractalgan.cli.parser import config_text, make_parser, parse
from fractalgan.cli.resume import (
    ResumePoint,
    find_checkpoint,
    log_changed_data,
    point_of_checkpoint,
    point_of_same_command,
    require_matching_state,
    require_training_state,
    with_config_of_run,
)
from fractalgan.cli.run_names import run_stem
from fractalgan.data import SYNTHETIC
from fractalgan.distributed import decided_by_rank_zero
from fractalgan.errors import InputError
from fractalgan.storage import RunFolder
from fractalgan.tasks import Task

log = logging.getLogger(__name__)


class Command(NamedTuple):
    """All that a verb needs."""

    options: Namespace  # as parsed, with the hyper-parameters of the checkpoint
    config: str  # the content of config.yaml
    start: ResumePoint
    task: Task
    data: LightningDataModule
    trainer: Namespace  # the options of the Trainer, with callbacks and the like instantiated

    @property
    def checkpoint_path(self) -> str | None:
        """The checkpoint that Lightning restores."""
        return None if self.start.path is None else str(self.start.path)


def prepare(verb: str, arguments: list[str]) -> Command:
    """Parse a command line, find what it resumes or evaluates, and instantiate task and data.

    Args:
        verb: fit, validate, test, or predict.
        arguments: the command line without the verb.

    Raises:
        InputError: for invalid options, and for a checkpoint that does not fit them.
        ArgumentError: for options that cannot be parsed.
    """
    parser = make_parser(verb)
    options = parse(parser, with_config_of_run(arguments))
    start = _find_start(verb, parser, options)
    follow_data: list[str] = []
    if start.checkpoint is not None:
        log.info("%s from %s, step %d", verb, start.path, start.step)
        options, follow_data = take_hyper_parameters(parser, options, start)
    elif verb != "fit":
        raise InputError(f"{verb} needs a checkpoint: set --ckpt_path, for example --ckpt_path best")
    kept = options.clone()
    for name in follow_data:
        kept.model.init_args[name] = None
    config = config_text(parser, kept)
    if verb != "predict":  # which needs no data
        log_changed_data(start, config)
    seed_everything(options.seed_everything, workers=True, verbose=False)
    instances = parser.instantiate_classes(_with_own_copy(options, start))
    if start.checkpoint is not None:
        require_matching_state(instances.model, start)
        if verb == "fit":
            require_training_state(start)
    return Command(options, config, start, instances.model, instances.data, instances.trainer)


def _find_start(verb: str, parser: LightningArgumentParser, options: Namespace) -> ResumePoint:
    """The checkpoint that is named, or where the same command was interrupted, or a new start."""
    if options.ckpt_path:
        path = find_checkpoint(options.ckpt_path, options.run, run_stem(options))
        return point_of_checkpoint(verb, path, options.run)
    if verb != "fit" or not options.run or options.trainer.fast_dev_run:
        return ResumePoint()
    run = RunFolder(Path(options.run))
    return point_of_same_command(run, config_text(parser, options)) if run.config.is_file() else ResumePoint()


def source_fractals(options: Namespace, start: ResumePoint) -> str | None:
    """The learned fractals that a task is trained on; None for others, or if it is not trained on any.

    Of a run that is resumed it is the run's own copy: the file they came from may be gone.
    """
    fractals = options.data.get("init_args", {}).get("fractals") or "random"
    if fractals in SYNTHETIC:
        return None
    home = None if start.path is None else RunFolder.of_checkpoint(start.path)
    return str(home.fractals) if home is not None and home.fractals.is_file() else str(fractals)


def _with_own_copy(options: Namespace, start: ResumePoint) -> Namespace:
    """The options with the run's own copy of the learned fractals for the data to read."""
    fractals = source_fractals(options, start)
    if fractals is not None:
        options = options.clone()
        options.data.init_args.fractals_copy = fractals
    return options


def prepare_data(command: Command, stage: str) -> None:
    """Load the data on rank 0, before anything is written: what is wrong with it ends all ranks.

    Raises:
        InputError: if there is no such data.
    """

    def load() -> str:
        command.data.prepare_data()
        command.data.setup(stage)
        return "loaded"

    decided_by_rank_zero("data", load)


@contextmanager
def exclusive(run: RunFolder, start: ResumePoint) -> Iterator[None]:
    """Lock the run folder within the context; rank 0 does it for all ranks.

    Raises:
        InputError: if another program is writing there, or has done so since the checkpoint was read.
    """
    with ExitStack() as stack:

        def lock() -> str:
            stack.enter_context(run.locked())
            if run.last_saved() != start.saved_ns:
                raise InputError(f"another program has just written to {run}: run the same command again")
            return "locked"

        decided_by_rank_zero("lock", lock)
        yield
