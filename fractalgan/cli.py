"""The command line: Lightning's verbs on our tasks and data, one folder a run."""

import argparse
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError, Namespace
from lightning_fabric.plugins.io import TorchCheckpointIO
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.utilities.model_helpers import is_overridden

from fractalgan import __version__
from fractalgan.callbacks import (
    Film,
    FittedFractals,
    GracefulStop,
    ImageWriter,
    KeptCheckpoints,
    KeptFractals,
    LastCheckpoint,
    NetThreads,
    Pictures,
    Starts,
    StepCount,
    StepProgress,
    best_checkpoint,
)
from fractalgan.checkpoint_file import WholeCheckpoints, newest_good, read_checkpoint
from fractalgan.errors import InputError, require_at_least
from fractalgan.explain import explain
from fractalgan.loggers import EventsLogger, JsonLinesLogger
from fractalgan.ops import set_render_threads
from fractalgan.ranks import is_rank_zero
from fractalgan.reports import Summary, next_commands
from fractalgan.run_folder import RunFolder
from fractalgan.shipped import shipped
from fractalgan.tasks import Reconstruction, Task
from fractalgan.whole_file import write_whole

log = logging.getLogger("fractalgan")

CONFIGS = shipped("configs")

# What a task's run folders are called after.
STEMS = {"FractalGAN": "gan", "InverseEncoder": "encoder", "LinearProbe": "probe"}

# What comes after a run of a task.
NEXT = {
    "FractalGAN": {
        "next": "predict --ckpt_path {best}",
        "use": "fit --config {configs}/pretraining.yaml --model.fractals {best}{num_fractals}{image_size}",
    },
    "Pretraining": {"next": "fit --config {configs}/probe.yaml --model.backbone {last}{image_size}"},
    "LinearProbe": {"next": "test --ckpt_path {best}"},
    "InverseEncoder": {
        "use": "fit --config {configs}/reconstruction.yaml --model.start {best}"
        "{image_size}{num_transforms}{window}",
    },
    "Reconstruction": {
        "use": "fit --config {configs}/pretraining.yaml --model.fractals {fractals}{num_targets}{image_size}",
    },
}

# Parameters that the next stage must be told unless they are the default: its option, the default.
SIZES = {
    "image_size": ("data.size", 32),
    "num_fractals": ("model.num_fractals", 100),
    "num_targets": ("model.num_fractals", 100),
    "num_transforms": ("model.num_transforms", 10),
    "window": ("model.window", 2.5),
}

TRAINER_DEFAULTS = {
    "max_steps": 1500,
    "val_check_interval": 250,
    "check_val_every_n_epoch": None,  # training batches come in an endless stream: all is counted in steps
    "log_every_n_steps": 25,
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,
    "enable_autolog_hparams": False,  # they are in config.yaml
}

EXIT_STATUS = {"SIGINT": 130, "SIGTERM": 143}  # what shells expect of a program that was stopped so

QUIET = (
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "The '.*_dataloader' does not have many workers",
    "LightningCLI's args parameter is intended to run from within Python",
    "Checkpoint directory .* exists and is not empty",  # a run that is gone on with
    "The dirpath has changed from",  # a run that branches off
    "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",  # not needed to judge it
    "Couldn't infer the batch indices",
    "`weights_only` was not set",
    "Grad strides do not match bucket view strides",  # of a convolution with one channel; several processes
    "Metric `Kernel Inception Distance` will save all extracted features",  # 84 numbers an image
)

# Threads of a CPU for all but drawing, whatever the machine has: the bits of a run follow from it.
NET_THREADS = 2

# Options are written out, and mistakes are told by us.
STRICT: dict[str, Any] = {"exit_on_error": False, "allow_abbrev": False}

# What a task must have for a verb that not every task serves.
NEEDED = {"test": "test_step", "predict": "predict_step"}


def run(arguments: list[str], kind: "type[FractalCLI] | None" = None) -> int:
    """Run one command line with a verb of Lightning's and return its exit status."""
    return answer(lambda: _run(arguments, kind or FractalCLI))


def _run(arguments: list[str], kind: "type[FractalCLI]") -> int:
    with _nets_on(NET_THREADS):
        return kind(
            Task,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            trainer_defaults=TRAINER_DEFAULTS,
            parser_kwargs=dict(STRICT, prog="fractalgan")
            | {verb: dict(STRICT) for verb in LightningCLI.subcommands()},
            args=with_config_of_run(arguments),
        ).exit_status


@contextmanager
def _nets_on(threads: int) -> Iterator[None]:
    """Have torch compute on so many threads of a CPU, and fractals be drawn on as many as it had.

    Torch adds up in another order on another number of threads; drawing does not.
    """
    before = torch.get_num_threads()
    set_render_threads(before)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        set_render_threads(None)


def answer(work: Callable[[], int]) -> int:
    """Do the work of a command line and return its exit status; what a user can mend is told in one line."""
    _set_up_logging()
    _ask_for_gpus_once()
    threading.excepthook = _tell_defects
    try:
        return work()
    except KeyboardInterrupt:
        print("fractalgan: interrupted before there was anything to save", file=sys.stderr)
        return EXIT_STATUS["SIGINT"]
    except Exception as error:
        mendable = explain(error)
        if mendable is None:
            raise
        print(f"fractalgan: error: {mendable}", file=sys.stderr)
        return 2 if isinstance(error, ArgumentError) else 1


def with_config_of_run(arguments: list[str]) -> list[str]:
    """The command line with the config.yaml of the run that ``--ckpt_path`` lies in, if no other is given.

    So a run is gone on with, or judged, by its own options and on its own data; those on the command
    line come on top. "last" and "best" are of ``--run``, else of the run that has saved last.
    """
    scan = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for option in ("--ckpt_path", "--run", "--config"):
        scan.add_argument(option)
    scan.add_argument("-c", dest="config")
    given, _ = scan.parse_known_args(arguments)
    if not given.ckpt_path or given.config:
        return arguments
    folder: RunFolder | None
    if given.ckpt_path not in ("last", "best"):
        folder = RunFolder.of_checkpoint(Path(given.ckpt_path))
    elif given.run:
        folder = RunFolder(Path(given.run))
    else:
        folder = RunFolder.newest()
        arguments = [*arguments, "--ckpt_path", str(folder.checkpoint(given.ckpt_path))]
    if folder is None or not folder.config.is_file():
        return arguments
    return [arguments[0], "--config", str(folder.config), *arguments[1:]]


def _lost_a_process(error: RuntimeError) -> bool:
    """Whether what ended a run is that another of its processes did."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def _tell_defects(thread: threading.ExceptHookArgs) -> None:
    """TensorBoard's thread cannot write either where the disk is full, which the program itself will tell."""
    if not issubclass(thread.exc_type, OSError):
        threading.__excepthook__(thread)


class _CurrentStderr(logging.Handler):
    """Writes to what stderr is now: a progress bar puts itself in its place, to keep its line."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


def _set_up_logging() -> None:
    handler = _CurrentStderr()
    handler.setFormatter(logging.Formatter("fractalgan: %(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO if is_rank_zero() else logging.WARNING)
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # says that a process died, and ends the others where they did not notice
    logging.getLogger("lightning_fabric.strategies.launchers.subprocess_script").setLevel(logging.INFO)
    for message in QUIET:
        warnings.filterwarnings("ignore", message)


def _ask_for_gpus_once() -> None:
    """Lightning has torch look for GPUs by NVIDIA's library, so that processes can be forked after it;
    where there is none, every step of Adam would search the disk for it."""
    if not torch.cuda.is_available():
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


def options_as_text(parser: Any, options: Any) -> str:
    """What config.yaml holds: all but where the run goes, so that the file makes it again, beside it."""
    kept = options.clone()
    kept.run = kept.ckpt_path = None
    return str(parser.dump(kept, skip_none=False))


class SaveRunConfig(SaveConfigCallback):
    """Writes the options in force to config.yaml; those of before a resumption are kept beside it."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        path = Path(self.config_filename)
        text = options_as_text(self.parser, self.config)
        if path.exists() and (before := path.read_text()) != text:
            write_whole(path.with_name(f"config_until_{trainer.global_step:06d}.yaml"), before)
        write_whole(path, text)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Nothing yet: the run may fail to begin."""


class FractalCLI(LightningCLI):
    """LightningCLI in subclass mode, with a default task and data set, and a folder for every run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.exit_status = 0
        self.checkpoint_step: int | None = None  # of the checkpoint that is gone on with or judged
        self.home: RunFolder | None = None  # the run that is gone on with in place
        self.last_saved: int | None = None  # when that had saved last
        self.left_to_data: list[str] = []  # of the model's options, those that were given as null
        self.stop, self.steps = GracefulStop(), StepCount()
        self.best: ModelCheckpoint | None = None
        self.fractals = "random"  # what is learned from, where fractals draw it
        super().__init__(*args, **kwargs)  # parses, instantiates and runs

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--seed_everything", type=int, default=0, help="Seed of all random numbers, 0 or more."
        )
        parser.add_argument(
            "--run",
            type=str | None,
            default=None,
            help="The folder of this run; by default the next of runs/gan-digits-1, -2, ...",
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.set_defaults(
            {
                "model": {"class_path": "fractalgan.FractalGAN"},
                "data": {"class_path": "fractalgan.ImageData"},
            }
        )
        parser.link_arguments("data.init_args.size", "model.init_args.image_size")
        parser.link_arguments("seed_everything", "model.init_args.seed")
        parser.link_arguments("seed_everything", "data.init_args.seed")
        parser.link_arguments("model.init_args.fractals", "data.init_args.fractals")
        parser.link_arguments("model.init_args.num_fractals", "data.init_args.num_fractals")

    def _set_seed(self) -> None:
        require_at_least(0, seed_everything=self.config[self.config.subcommand].seed_everything)
        super()._set_seed()

    # -- before the run: what is given, and where it goes ---------------------------------------

    def _parse_ckpt_path(self) -> None:
        """Find and check the checkpoint; its hyper-parameters then take the place of those given."""
        options = self.config[self.config.subcommand]
        for name in ("trainer", "model", "data"):
            if not isinstance(options.get(name), Namespace):
                raise InputError(f"--{name}: want options by their names, got {options.get(name)!r}")
        if not options.get("ckpt_path"):
            options.ckpt_path = self._begun_by_the_same_command(options)
        if not options.get("ckpt_path"):
            if self.config.subcommand != "fit":
                log.warning(
                    "no --ckpt_path is given: nothing is learned here, all is as random as at the start"
                )
            return
        path, checkpoint = self._checkpoint(
            self._checkpoint_path(options.ckpt_path, options.run), options.run
        )
        task = options.model.class_path.rpartition(".")[2]
        if checkpoint["task"] != task:
            raise InputError(
                f"{path} is a checkpoint of {checkpoint['task']}, not of {task}:"
                " give another, or the configuration that it was made with"
            )
        options.ckpt_path = str(path)
        self.checkpoint_step = checkpoint["global_step"]
        log.info("%s from %s, step %d", self.config.subcommand, path, self.checkpoint_step)
        given = options.model.init_args.clone()
        self.left_to_data = [name for name, value in vars(given).items() if value is None]
        self._follow_checkpoint(checkpoint["hyper_parameters"])
        super()._parse_ckpt_path()
        taken = self.config[self.config.subcommand].model.init_args
        for name, value in vars(given).items():
            if name not in checkpoint["hyper_parameters"]:
                log.warning("the checkpoint is older than the option model.%s: it is %s now", name, value)
            elif name not in self.left_to_data and taken[name] != value:
                log.info("model.%s is %s, from the checkpoint (not %s)", name, taken[name], value)

    def _begun_by_the_same_command(self, options: Any) -> str | None:
        """The last checkpoint of ``--run``, where these options made it; null: there is none, begin.

        Raises InputError where other options made it.
        """
        folder = RunFolder(Path(options.run or os.devnull))
        if self.config.subcommand != "fit" or options.trainer.fast_dev_run or not folder.config.is_file():
            return None
        if folder.config.read_text() != options_as_text(self._parser("fit"), options):
            raise InputError(
                f"{folder} holds a run already, with other options:"
                " go on with it by --ckpt_path last, or give another --run"
            )
        if any(folder.checkpoints.glob("*.ckpt")):
            return str(folder.last)
        if folder.summary.exists():
            raise InputError(f"{folder} holds a run already, which kept no checkpoint: give another --run")
        log.info("%s ended before its first checkpoint: it begins again", folder)
        self.home, self.checkpoint_step = folder, 0
        return None

    def _checkpoint(self, path: Path, run: str | None) -> tuple[Path, dict[str, Any]]:
        """The checkpoint's file and content. A run goes on in place from its last alone: from an earlier one,
        what came after is kept. Where the last is damaged, the newest of its others takes its place."""
        home = RunFolder.of_checkpoint(path)
        here = home is not None and (not run or Path(run).resolve() == home.path.resolve())
        verb = self.config.subcommand
        if home and here and (verb == "predict" or (verb == "fit" and path.name == home.last.name)):
            self.home, self.last_saved = home, home.last_saved()
        try:
            return path, read_checkpoint(path)
        except InputError:
            if verb != "fit" or self.home is None:
                raise
            good = newest_good(
                each for each in self.home.checkpoints.glob("*.ckpt") if each.name != path.name
            )
            if good is None and not path.exists():
                raise
            if good is None:
                raise InputError(
                    f"{path} is damaged, and no other checkpoint of {home} is whole: begin with another --run"
                ) from None
            damage = "damaged" if path.exists() else "missing"
            log.warning("%s is %s: going on from %s instead", path, damage, good[0])
            return good

    def _follow_checkpoint(self, parameters: dict[str, Any]) -> None:
        """Options that the model's are linked to must agree with the checkpoint, too."""
        options = self.config[self.config.subcommand]
        for option, parameter in {"seed_everything": "seed", "data.init_args.size": "image_size"}.items():
            if parameter in parameters and options.get(option) not in (None, parameters[parameter]):
                value = parameters[parameter]
                name = option.replace("init_args.", "")
                log.info("%s is %s, from the checkpoint (not %s)", name, value, options[option])
                options[option] = value

    def _checkpoint_path(self, given: str, run: str | None) -> Path:
        """The file that ``--ckpt_path`` means: a path, or "last" or "best" of a run."""
        if given not in ("last", "best"):
            return Path(given)
        folder = RunFolder(Path(run)) if run else RunFolder.newest(self._stem())
        return folder.checkpoint(given)

    def _stem(self) -> str:
        """What this run's folder is called, but for its number: "gan-digits"."""
        options = self.config[self.config.subcommand]
        task = options.model.class_path.rpartition(".")[2]
        data = options.data.get("init_args", {})
        if data.get("path"):
            name = Path(data.path).resolve().stem
        elif data.get("name") == "folder":
            name = Path(data.root).resolve().name
        else:
            name = data.get("name") or Path(data.get("fractals") or "systems").stem
        return f"{STEMS.get(task) or task}-{name}".lower()

    def instantiate_classes(self) -> None:
        """With the learned fractals that the run has kept, where it goes on with such: theirs may be gone."""
        options = self.config[self.subcommand]
        home = RunFolder.of_checkpoint(Path(options.ckpt_path)) if options.get("ckpt_path") else None
        data = options.data.get("init_args", {})
        given = data.get("fractals", "random")
        if home is None or given == "random" or not home.fractals.is_file():
            self.fractals = given
            super().instantiate_classes()
        else:
            self.fractals = data.fractals = str(home.fractals)
            super().instantiate_classes()
            self.datamodule.source = data.fractals = given

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """With our loggers and callbacks; the run folder is made once all else is known to be right."""
        options = self.config_init[self.subcommand]
        self._check_verb()
        self._check_trainer(options)
        if self.subcommand == "fit":
            self._check_steps(options)
        if self.subcommand != "predict" and is_rank_zero():
            self.datamodule.prepare_data()
            self.datamodule.setup(self.subcommand)
        given = options.trainer.callbacks or []
        callbacks = list(given) if isinstance(given, list) else [given]
        if options.trainer.enable_progress_bar is not False:
            callbacks.append(StepProgress())
        logger: Any = False
        if self.writes:
            self.folder = self._run_folder(options)
            callbacks += self._fit_callbacks() if self.subcommand == "fit" else self._predict_callbacks()
            logger = self._loggers(options)
        try:
            trainer = super().instantiate_trainer(logger=logger, callbacks=callbacks, **kwargs)
        except Exception as error:
            if self.writes:
                self.folder.discard_if_empty()
            if isinstance(error, (ValueError, ImportError)):  # an accelerator that is not there, and the like
                raise InputError(f"trainer: {error}") from error
            raise
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # not where the user gave another
            trainer.strategy.checkpoint_io = WholeCheckpoints()
        return trainer

    @property
    def writes(self) -> bool:
        """Whether this run has a folder to write to."""
        trainer = self.config_init[self.subcommand].trainer
        return self.subcommand in ("fit", "predict") and not trainer.fast_dev_run

    def _check_verb(self) -> None:
        needed = NEEDED.get(str(self.subcommand))
        if needed and not is_overridden(needed, self.model, LightningModule):
            raise InputError(f"{self.subcommand} is not for {type(self.model).__name__}: give another run")

    def _check_trainer(self, options: Any) -> None:
        """What Lightning would take and fail with later."""
        trainer = options.trainer
        if str(trainer.precision) in ("bf16-true", "16-true", "transformer-engine"):
            raise InputError(
                f"trainer.precision: fractals need 32 bits or mixed precision, not {trainer.precision}"
            )
        if trainer.accelerator in ("auto", "mps") and torch.backends.mps.is_available():
            log.info("running on the CPU: Apple's GPU lacks operations that fractals need")
            trainer.accelerator = "cpu"

    def _check_steps(self, options: Any) -> None:
        trainer = options.trainer
        if trainer.limit_train_batches not in (None, 1.0):
            raise InputError("training batches have no end to be cut short: give --trainer.max_steps")
        if not isinstance(trainer.val_check_interval, int) or trainer.val_check_interval < 1:
            given = trainer.val_check_interval
            raise InputError(f"trainer.val_check_interval: want steps, 1 or more, got {given}")
        if trainer.max_steps == -1 and trainer.max_time is None:
            raise InputError(
                "training counts steps, not epochs: give --trainer.max_steps, or a --trainer.max_time"
            )
        if trainer.max_steps != -1:
            require_at_least(1, **{"trainer.max_steps": trainer.max_steps})
            trainer.val_check_interval = min(trainer.val_check_interval, trainer.max_steps)
        if self.checkpoint_step is not None and 0 < trainer.max_steps <= self.checkpoint_step:
            raise InputError(
                f"{options.ckpt_path} is at step {self.checkpoint_step} already:"
                f" give a --trainer.max_steps above it to go on"
            )

    def _run_folder(self, options: Any) -> RunFolder:
        """Where this run writes: the folder it goes on with, the one that is named, or the next one."""
        if self.home is not None:
            folder = self.home
        elif not is_rank_zero():  # rank 0 alone makes folders; it tells the processes that it starts
            folder = RunFolder(Path(options.run or os.environ.get("FRACTALGAN_RUN", os.devnull)))
        elif options.run:
            folder = RunFolder.create(Path(options.run))
        else:
            folder = RunFolder.create_next(self._stem())
        os.environ["FRACTALGAN_RUN"] = str(folder)
        return folder

    def _loggers(self, options: Any) -> Any:
        given = options.trainer.logger
        if self.subcommand != "fit" or given is False:
            return False
        ours: list[Any] = [JsonLinesLogger(self.folder.metrics, self.checkpoint_step)]
        if given in (None, True):
            return [*ours, EventsLogger(self.folder.path, self.checkpoint_step)]
        return [*ours, *(given if isinstance(given, list) else [given])]

    def _fit_callbacks(self) -> list[Callback]:
        options = self.config[self.subcommand].clone()
        for name in self.left_to_data:  # as they were given, not as the checkpoint has them
            options.model.init_args[name] = None
        callbacks: list[Callback] = [
            SaveRunConfig(self._parser(self.subcommand), options, str(self.folder.config)),
            NetThreads(NET_THREADS),
            Starts(self.folder.environment, options.seed_everything),
            self.steps,
            self.stop,
        ]
        if hasattr(self.model, "gallery"):
            callbacks.append(Pictures(self.folder.figures))
        if isinstance(self.model, Reconstruction):
            callbacks += [FittedFractals(self.folder), Film(self.folder.figures)]
        if self.fractals != "random":
            callbacks.append(KeptFractals(self.folder.fractals, self.fractals))
        if options.trainer.enable_checkpointing is not False:
            if self.model.keep_every is not None:
                callbacks.append(KeptCheckpoints(self.folder.checkpoints, self.model.keep_every))
            self.best = best_checkpoint(self.folder.best, self.model.monitor)
            callbacks += [self.best, LastCheckpoint(self.folder.last)]  # in this order: see LastCheckpoint
        return callbacks

    def _predict_callbacks(self) -> list[Callback]:
        target = self.folder.predictions
        if target.exists() and is_rank_zero():
            raise InputError(f"{target} is there already: move it away, or give another folder as --run")
        return [ImageWriter(target)]

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        kwargs = super()._prepare_subcommand_kwargs(subcommand) | {"weights_only": True}
        if subcommand == "predict":  # fractals are drawn from random numbers: no images are read
            kwargs.pop("datamodule")
            kwargs["return_predictions"] = False
        return kwargs

    # -- the run, and what is said after it -----------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The run's folder for this program alone, if it writes to one; of many processes, one sees to it."""
        if not self.writes or not is_rank_zero():
            yield
            return
        with self.folder.locked():
            if self.folder.last_saved() != self.last_saved:
                raise InputError(f"another program has just written to {self.folder}: give the command again")
            yield

    def fit(self, model: LightningModule, **kwargs: Any) -> None:
        with self._alone():
            self._fit(model, **kwargs)

    def _fit(self, model: LightningModule, **kwargs: Any) -> None:
        begun = time.monotonic()
        try:
            self.trainer.fit(model, **kwargs)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"{error}: {self._what_is_kept()}; lower the learning rates and start again"
            ) from error
        except RuntimeError as error:
            if not _lost_a_process(error):
                raise
            raise ConnectionError(
                "another process of this run ended, of too little memory perhaps:"
                f" {self._what_is_kept()}; go on from there by --ckpt_path"
            ) from error
        except InputError:  # found out before the first step
            if self.writes:
                self.folder.discard_if_empty()
            raise
        except SystemExit as stopped:  # Lightning's answer to a second Ctrl-C
            if not (self.stop.signal_name and self.writes):
                raise
            print("\n".join(["stopped at once", *self.what_next(finished=False)]))
            raise SystemExit(EXIT_STATUS[self.stop.signal_name]) from stopped
        if self.trainer.is_global_zero and self.writes:
            self._report(time.monotonic() - begun)

    def _what_is_kept(self) -> str:
        if self.writes and self.folder.last.exists():
            return f"the last good checkpoint is {self.folder.last}"
        return "there is no checkpoint yet"

    def _report(self, seconds: float) -> None:
        """Write the summary, print it, and set the exit status."""
        trainer, max_steps = self.trainer, self.config[self.subcommand].trainer.max_steps
        finished = self.stop.signal_name is None or 0 < max_steps <= trainer.global_step
        best = self.best.best_model_score if self.best else None
        summary = Summary(
            version=__version__,
            task=type(self.model).__name__,
            data=getattr(self.datamodule, "source", type(self.datamodule).__name__),
            seed=self.config[self.subcommand].seed_everything,
            step=trainer.global_step,
            max_steps=max_steps,
            finished=finished,
            seconds=round(seconds, 1),
            monitor=self.model.monitor,
            best=None if best is None else best.item(),
            validated=self.steps.validated,
            metrics={
                name: value.item()
                for name, value in trainer.callback_metrics.items()
                if name.startswith("val/")
            },
        )
        summary.write(self.folder)
        print("\n".join([*summary.lines(self.folder), *self.what_next(finished)]))
        if not finished:
            self.exit_status = EXIT_STATUS[str(self.stop.signal_name)]

    def what_next(self, finished: bool) -> list[str]:
        """What can be done with what this run has left."""
        commands: dict[str, str] = {}
        checkpoints = [path for path in (self.folder.best, self.folder.last) if path.exists()]
        if finished and checkpoints:
            places = {
                "best": checkpoints[0],
                "last": checkpoints[-1],
                "fractals": self.folder.fractals,
                "configs": os.path.relpath(CONFIGS),
            }
            for name, (option, default) in SIZES.items():
                value = self.model.hparams.get(name, default)
                places[name] = "" if value == default else f" --{option} {value}"
            for name, command in NEXT.get(type(self.model).__name__, {}).items():
                if "{num_targets}" in command and self.model.hparams["num_targets"] < 2:
                    continue  # one fractal is no set of pseudo-classes
                commands[name] = "fractalgan " + command.format(**places)
            commands["watch"] = f"tensorboard.main --logdir {self.folder.path.parent}"
        elif checkpoints:
            commands["go on"] = f"fractalgan fit --ckpt_path {checkpoints[-1]}"
        return next_commands(**commands) if commands else []

    def validate(self, model: LightningModule, **kwargs: Any) -> None:
        self._judge(self.trainer.validate(model, **kwargs))

    def test(self, model: LightningModule, **kwargs: Any) -> None:
        self._judge(self.trainer.test(model, **kwargs))

    def _judge(self, results: Any) -> None:
        """Append the figures to the run's evaluations.jsonl."""
        path = self.config[self.subcommand].ckpt_path
        folder = RunFolder.of_checkpoint(Path(path)) if path else None
        if folder and results and self.trainer.is_global_zero:
            row = {"verb": self.subcommand, "checkpoint": path, "step": self.checkpoint_step}
            with folder.evaluations.open("a") as file:
                file.write(json.dumps(row | results[0]) + "\n")
            print(f"written to {folder.evaluations}")

    def predict(self, model: LightningModule, **kwargs: Any) -> None:
        with self._alone():
            self.trainer.predict(model, **kwargs)
        if self.trainer.is_global_zero:
            print(f"images of every fractal: {self.folder.predictions}, one sub-folder a fractal")
            print(
                *next_commands(
                    next=f"fractalgan fit --data.name folder --data.root {self.folder.predictions}"
                )
            )
