"""What a command resumes or evaluates: a checkpoint, and the run that it belongs to."""

import argparse
import logging
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pytorch_lightning import Callback, LightningModule, Trainer

from fractalgan.cli.config_files import migrate
from fractalgan.cli.linked_options import as_typed, value_as_typed
from fractalgan.cli.option_difference import first_difference
from fractalgan.cli.yaml_text import flat_options, load_yaml
from fractalgan.distributed import decided_by_rank_zero
from fractalgan.errors import InputError
from fractalgan.reports import Summary
from fractalgan.storage import RunFolder, as_checkpoint_error, newest_readable, read_checkpoint

log = logging.getLogger(__name__)


class ResumePoint(NamedTuple):
    """Where a command starts. All fields have their defaults for a new run."""

    path: Path | None = None  # the checkpoint
    checkpoint: dict[str, Any] | None = None  # its content
    run: RunFolder | None = None  # the run that is resumed in place
    saved_ns: int | None = None  # when its last.ckpt was written
    same_command: bool = False  # whether the command is the one that started the run
    summary: Summary | None = None  # of a run that is finished

    @property
    def step(self) -> int | None:
        """The step that is resumed at: 0 for a run that starts over, None for a new one."""
        if self.checkpoint is not None:
            return int(self.checkpoint["global_step"])
        return None if self.run is None else 0


class Named(NamedTuple):
    """What a command line says about resuming, before it is parsed."""

    ckpt_path: str | None
    run: str | None
    has_config: bool

    @classmethod
    def of(cls, arguments: list[str]) -> "Named":
        """Look for the options ``--ckpt_path``, ``--run`` and ``--config``."""
        scan = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        for option in ("--ckpt_path", "--run", "--config"):
            scan.add_argument(option)
        scan.add_argument("-c", dest="config")
        given, _ = scan.parse_known_args(arguments)
        return cls(given.ckpt_path, given.run, bool(given.config))


def with_config_of_run(arguments: list[str]) -> list[str]:
    """Add the config.yaml of the run that ``--ckpt_path`` belongs to, unless a ``--config`` is given.

    So a run is resumed or evaluated with its own options and data; the command line overrides them. The
    checkpoint is replaced by its path: "last" and "best" are those of ``--run``, else of the newest run.
    """
    named = Named.of(arguments)
    if not named.ckpt_path or named.has_config:
        return arguments
    path = find_checkpoint(named.ckpt_path, named.run)
    run = RunFolder.of_checkpoint(path)
    arguments = [*arguments, "--ckpt_path", str(path)]
    return arguments if run is None else ["--config", str(run.config), *_former(run), *arguments]


def _former(run: RunFolder) -> list[str]:
    """Options that the run is older than, and what held for it: images were in grayscale."""
    options = _options_of(run)
    reads = str(options.get("data.class_path", "")).rpartition(".")[2] in ("ImageData", "TargetData")
    return ["--data.channels=1"] if reads and "data.init_args.channels" not in options else []


def find_checkpoint(name: str, run: str | None, stem: str | None = None) -> Path:
    """The path of a checkpoint.

    Args:
        name: a path, or "last" or "best".
        run: the run folder of "last" or "best"; None for the newest run in runs/.
        stem: only runs named <stem>-<n> count as the newest.

    Returns:
        The path; of the newest run it is the one that rank 0 has found.

    Raises:
        InputError: if no run has saved such a checkpoint.
    """
    if name not in ("last", "best"):
        return Path(name)
    if run:
        return RunFolder(Path(run)).checkpoint(name)
    return Path(decided_by_rank_zero("ckpt_path", lambda: str(RunFolder.newest(stem).checkpoint(name))))


def point_of_checkpoint(verb: str, path: Path, run: str | None) -> ResumePoint:
    """Where a verb starts that is given a checkpoint.

    A run is resumed in place from its last checkpoint only: from an earlier one it would overwrite what came
    after. ``run`` names another folder to write to.

    Raises:
        InputError: if the checkpoint cannot be read.
    """
    home = RunFolder.of_checkpoint(path)
    if home and run and Path(run).resolve() != home.path.resolve():
        home = None
    if home and verb == "fit" and path.name == home.last.name:
        return _last_checkpoint(home)
    checkpoint = read_checkpoint(path)
    if home and verb == "predict":
        return ResumePoint(path, checkpoint, home, home.last_saved())
    return ResumePoint(path, checkpoint)


def point_of_same_command(run: RunFolder, config: str) -> ResumePoint:
    """Where `fit` starts in a run folder that was started with these options.

    Args:
        run: a run folder with a config.yaml.
        config: the options, as they would be written there.

    Raises:
        InputError: if the run was started with different options, or has nothing to resume from.
    """
    summary = Summary.read(run)
    if difference := _difference(run, config):
        more = f" and --trainer.max_steps > {summary.step}" if summary and summary.finished else ""
        raise InputError(
            f"{run} was started with different options ({difference}): use the same ones or another --run,"
            f" or resume it with --run {run} --ckpt_path last{more}"
        )
    if any(run.checkpoints.glob("*.ckpt")):
        point = _last_checkpoint(run)._replace(same_command=True)
        finished = summary is not None and summary.finished and summary.step == point.step
        finished = finished and point.path == run.last
        return point._replace(summary=summary) if finished else point
    if summary is not None and summary.finished:
        return ResumePoint(run=run, same_command=True, summary=summary)
    if summary is not None:
        raise InputError(f"{run} has a run without checkpoints, which cannot be resumed: set another --run")
    log.info("%s ended before its first checkpoint: starting over", run)
    return ResumePoint(run=run)


def log_changed_data(point: ResumePoint, config: str) -> None:
    """Log the options of the data that differ from those which the checkpoint was trained with.

    Args:
        point: the checkpoint that is resumed or evaluated.
        config: the options, as they would be written to config.yaml.
    """
    run = None if point.path is None else RunFolder.of_checkpoint(point.path)
    if run is None or point.same_command:
        return
    there, here = _options_of(run), flat_options(migrate(load_yaml(config)))
    for name in sorted(name for name in there.keys() & here.keys() if name.startswith("data.")):
        if there[name] != here[name]:
            log.info(
                "using --%s %s: %s was trained with %s",
                as_typed(name).removesuffix(".class_path"),
                value_as_typed(here[name]),
                run,
                value_as_typed(there[name]),
            )


def _difference(run: RunFolder, config: str) -> str:
    """What differs between the options of a run and a config.yaml, in words; "" for nothing."""
    started = _options_of(run)
    if not started:
        return "its config.yaml is not valid YAML"
    return first_difference(started, flat_options(migrate(load_yaml(config))))


def _options_of(run: RunFolder) -> dict[str, Any]:
    """The options in a run's config.yaml by their full names; none if the file is not valid YAML."""
    try:
        options = migrate(load_yaml(run.config.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return flat_options(options) if isinstance(options, dict) else {}


def _last_checkpoint(run: RunFolder) -> ResumePoint:
    """The last checkpoint of a run, or the newest readable one if that is damaged."""
    saved_ns = run.last_saved()
    try:
        return ResumePoint(run.last, read_checkpoint(run.last), run, saved_ns)
    except InputError:
        newest = newest_readable(path for path in run.checkpoints.glob("*.ckpt") if path != run.last)
        if newest is None and not run.last.exists():
            raise
        if newest is None:
            raise InputError(
                f"{run.last} is damaged, and {run} has no other readable checkpoint: set another --run"
            ) from None
        damage = "damaged" if run.last.exists() else "missing"
        log.warning("%s is %s: resuming from %s instead", run.last, damage, newest[0])
        return ResumePoint(*newest, run, saved_ns)


def require_matching_state(model: LightningModule, point: ResumePoint) -> None:
    """Compare the names and shapes of a checkpoint with those of the model that its options make.

    Raises:
        InputError: for the first that differs.
    """
    assert point.path is not None
    assert point.checkpoint is not None
    checkpoint = point.checkpoint | {"state_dict": dict(point.checkpoint["state_dict"])}
    with as_checkpoint_error(point.path):
        model.on_load_checkpoint(checkpoint)  # which migrates the names of earlier versions
        expected = {name: list(value.shape) for name, value in model.state_dict().items()}
        found = {name: list(value.shape) for name, value in checkpoint["state_dict"].items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise InputError(
                f"{point.path} does not match its options: {name} has the shape"
                f" {found.get(name, 'missing')}, expected {expected.get(name, 'none')}"
            )


def require_training_state(point: ResumePoint) -> None:
    """Raise InputError unless the checkpoint has what a training is resumed from, beside the weights."""
    assert point.checkpoint is not None
    for name, kind in {"loops": dict, "callbacks": dict, "optimizer_states": list}.items():
        if not isinstance(point.checkpoint.get(name), kind):
            raise InputError(f"{point.path} has invalid content: {name} is missing")


class RestoreGuard(Callback):
    """Knows whether Lightning is restoring the state of the training from a checkpoint.

    Attributes:
        restoring: True from the reading of the callbacks' states to the start of training.
    """

    def __init__(self) -> None:
        self.restoring = False

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.restoring = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.restoring = False
