"""`fit`: train a task, in a run folder that can be resumed."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jsonargparse import Namespace
from pytorch_lightning import Callback, Trainer

from fractalgan import __version__
from fractalgan.callbacks import (
    BestCheckpoint,
    FinalValidation,
    GracefulStop,
    LastCheckpoint,
    LastValidation,
    LogHyperParameters,
    NetThreads,
    PeriodicCheckpoint,
    RecordEnvironment,
    SaveConfig,
    SaveSourceFractals,
    StepCount,
)
from fractalgan.cli.command import Command, exclusive, prepare, prepare_data, source_fractals
from fractalgan.cli.early_signals import exit_before_first_step
from fractalgan.cli.loggers import check_loggers, fit_loggers, logged_options
from fractalgan.cli.messages import one_line
from fractalgan.cli.repeated_warnings import repeated_warnings
from fractalgan.cli.report import print_page
from fractalgan.cli.resume import RestoreGuard
from fractalgan.cli.run_command import EXIT_STATUS, NET_THREADS
from fractalgan.cli.run_names import run_stem
from fractalgan.cli.trainer import (
    build_trainer,
    check_manual_optimization,
    check_steps,
    check_trainer,
    task_callbacks,
)
from fractalgan.distributed import decided_by_rank_zero, is_rank_zero
from fractalgan.errors import InputError
from fractalgan.reports import Summary, commands_after_fit
from fractalgan.storage import RunFolder

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """How a training ended, as rank 0 knows it."""

    run: RunFolder
    summary: Summary
    signal_name: str | None  # of an interrupted run


@dataclass
class Watchers:
    """Callbacks that are asked after the training, and the warnings that were logged."""

    stop: GracefulStop = field(default_factory=GracefulStop)
    validation: LastValidation = field(default_factory=LastValidation)
    guard: RestoreGuard = field(default_factory=RestoreGuard)
    best: BestCheckpoint | None = None
    warnings: list[str] = field(default_factory=list)


def fit(arguments: list[str]) -> int:
    """Run `fit` and print its summary and the next commands; the exit status."""
    with repeated_warnings() as warnings:
        command = prepare("fit", arguments)
        outcome = train(command, Watchers(warnings=warnings))
    if outcome is None:
        return 0
    commands = commands_after_fit(outcome.run, command.task, outcome.summary.finished)
    print("\n".join([*outcome.summary.lines(outcome.run), *commands]), flush=True)
    if outcome.summary.finished:
        print_page(outcome.run)
    return 0 if outcome.summary.finished else EXIT_STATUS[str(outcome.signal_name)]


def train(command: Command, watchers: Watchers) -> Outcome | None:
    """Train the task of a command, in its run folder.

    Returns:
        The outcome; None for ``fast_dev_run``, which has no run folder, and on other ranks than 0.

    Raises:
        InputError: for options that cannot be trained with.
        FloatingPointError: if the training diverges.
        ConnectionError: if another process of the run dies.
        SystemExit: if a second signal stops it at once.
    """
    start, trainer_options = command.start, command.trainer
    check_trainer(trainer_options)
    check_loggers(trainer_options)
    check_manual_optimization(trainer_options, command.task)
    check_steps(trainer_options, None if start.same_command else start.step)
    prepare_data(command, "fit")
    if trainer_options.fast_dev_run:
        build_trainer(trainer_options, command.task).fit(command.task, command.data)
        return None
    run = _run_folder(command)
    with exclusive(run, start):
        if start.summary is not None:
            log.info("%s is finished: there is nothing left to do", run)
            return Outcome(run, start.summary, None) if is_rank_zero() else None
        return _train_in(run, command, watchers)


def _train_in(run: RunFolder, command: Command, watchers: Watchers) -> Outcome | None:
    started, start, options = time.monotonic(), command.start, command.trainer
    with _discarded_if_not_started(run):
        trainer = build_trainer(
            options,
            command.task,
            _callbacks(run, command, watchers),
            fit_loggers(options, run, start.step),
            default_root_dir=options.default_root_dir or str(run),
        )
        with _explained(run, command, watchers), exit_before_first_step(watchers.stop):
            trainer.fit(command.task, command.data, ckpt_path=command.checkpoint_path, weights_only=True)
    if start.same_command and trainer.global_step == start.step and start.path != run.last:
        trainer.save_checkpoint(run.last)  # in place of a damaged one
    if not trainer.is_global_zero:
        return None
    summary = _summarize(command, trainer, watchers, time.monotonic() - started)
    summary.write(run)
    return Outcome(run, summary, watchers.stop.signal_name)


def _run_folder(command: Command) -> RunFolder:
    """The folder of the run that is resumed, the one that is named, or the next one; rank 0 creates it."""
    if command.start.run is not None:
        return command.start.run
    created: list[RunFolder] = []

    def create() -> str:
        created.append(_create_folder(command.options))
        return str(created[0])

    path = decided_by_rank_zero("run", create)
    return created[0] if created else RunFolder(Path(path))


def _create_folder(options: Namespace) -> RunFolder:
    if not options.run:
        return RunFolder.create_next(run_stem(options))
    if RunFolder(Path(options.run)).config.is_file():
        raise InputError(f"{options.run} has a run: resume it with --ckpt_path last, or set another --run")
    return RunFolder.create(Path(options.run))


def _callbacks(run: RunFolder, command: Command, watchers: Watchers) -> list[Callback]:
    task, options = command.task, command.options
    callbacks: list[Callback] = [
        SaveConfig(run, command.config),
        LogHyperParameters(logged_options(command.config)),
        NetThreads(NET_THREADS),
        RecordEnvironment(run, options.seed_everything),
        StepCount(),
        FinalValidation(),
        watchers.guard,
        watchers.stop,
        watchers.validation,
        *task_callbacks(task, run),
    ]
    fractals = source_fractals(options, command.start)
    if fractals is not None:
        callbacks.append(SaveSourceFractals(run, fractals))
    if command.trainer.enable_checkpointing is not False:
        if task.checkpoint_interval is not None:
            callbacks.append(PeriodicCheckpoint(run, task.checkpoint_interval))
        watchers.best = BestCheckpoint(run, task.monitor)
        callbacks += [watchers.best, LastCheckpoint(run)]  # in this order, see LastCheckpoint
    return callbacks


@contextmanager
def _discarded_if_not_started(run: RunFolder) -> Iterator[None]:
    """Remove a run folder in which nothing was saved, because of an error or a signal."""
    try:
        yield
    except BaseException:
        run.discard_if_empty()
        raise


@contextmanager
def _explained(run: RunFolder, command: Command, watchers: Watchers) -> Iterator[None]:
    """Say what is kept, and how to resume, when a training fails."""
    kept = f"the last good checkpoint is {run.last}"
    try:
        yield
    except InputError:
        raise
    except FloatingPointError as error:
        where = kept if run.last.exists() else "there is no checkpoint yet"
        raise FloatingPointError(f"{error}: {where}; start a new run with lower learning rates") from error
    except SystemExit as stopped:  # of Lightning, on a second Ctrl-C
        if watchers.stop.signal_name is None:
            raise
        commands = commands_after_fit(run, command.task, finished=False)
        print("\n".join(["stopped immediately", *commands]))
        raise SystemExit(EXIT_STATUS[watchers.stop.signal_name]) from stopped
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError, IndexError) as error:
        reason = one_line(str(error))
        if watchers.guard.restoring:
            raise InputError(
                f"{command.start.path} has invalid content ({type(error).__name__}: {reason[:200]})"
            ) from error
        if isinstance(error, RuntimeError) and _lost_process(error):
            where = kept if run.last.exists() else "there is no checkpoint yet"
            raise ConnectionError(
                f"another process of this run died ({reason[:120]}): {where};"
                f" the same command with --run {run} resumes it"
            ) from error
        raise


def _lost_process(error: RuntimeError) -> bool:
    """Whether a communication error says that another process of the run is gone."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def _summarize(command: Command, trainer: Trainer, watchers: Watchers, seconds: float) -> Summary:
    max_steps = command.options.trainer.max_steps
    data: Any = command.data
    return Summary(
        version=__version__,
        task=type(command.task).__name__,
        data=getattr(data, "source", type(data).__name__),
        seed=command.options.seed_everything,
        step=trainer.global_step,
        max_steps=max_steps,
        finished=watchers.stop.signal_name is None or 0 < max_steps <= trainer.global_step,
        seconds=round(seconds, 1),
        since=command.start.step or 0,
        monitor=command.task.monitor,
        best=watchers.best.score if watchers.best else None,
        validated=watchers.validation.step,
        metrics=watchers.validation.metrics,
        warnings=watchers.warnings,
        findings=watchers.validation.findings,
    )
