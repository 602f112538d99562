"""The command line: Lightning's verbs on our tasks and data, one folder a run."""

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.io import TorchCheckpointIO
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.model_helpers import is_overridden

from fractalgan import __version__
from fractalgan.answer import EXIT_STATUS, STRICT, answer
from fractalgan.callbacks import (
    BestCheckpoint,
    Film,
    FittedFractals,
    GracefulStop,
    ImageWriter,
    KeptCheckpoints,
    KeptFractals,
    KeptOptions,
    LastCheckpoint,
    LastValidation,
    NetThreads,
    Pictures,
    Starts,
    StepCount,
    StepProgress,
)
from fractalgan.checkpoint_file import WholeCheckpoints
from fractalgan.errors import InputError, require_at_least
from fractalgan.loggers import EventsLogger, JsonLinesLogger
from fractalgan.ops import set_render_threads
from fractalgan.origin import (
    Origin,
    named_checkpoint,
    origin_of_checkpoint,
    origin_of_command,
    with_config_of_run,
)
from fractalgan.ranks import is_rank_zero
from fractalgan.reports import Summary, after_fit, next_commands
from fractalgan.run_folder import RunFolder
from fractalgan.tasks import Reconstruction, Task

log = logging.getLogger("fractalgan")

# What a task's run folders are called after.
STEMS = {"FractalGAN": "gan", "InverseEncoder": "encoder", "LinearProbe": "probe"}

TRAINER_DEFAULTS = {
    "max_steps": 1500,
    "val_check_interval": 250,
    "check_val_every_n_epoch": None,  # training batches come in an endless stream: all is counted in steps
    "log_every_n_steps": 25,
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,
    "enable_autolog_hparams": False,  # they are in config.yaml
}

# Threads of a CPU for all but drawing, whatever the machine has: the bits of a run follow from it.
NET_THREADS = 2

# Options that may name a file.
PATHS = {"fractals", "backbone", "start"}

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


def _lost_a_process(error: RuntimeError) -> bool:
    """Whether what ended a run is that another of its processes did."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def options_as_text(parser: Any, options: Any) -> str:
    """What config.yaml holds: all but where the run goes, so that the file makes it again, beside it."""
    kept = options.clone()
    kept.run = kept.ckpt_path = None
    return str(parser.dump(kept, skip_none=False))


class FractalCLI(LightningCLI):
    """LightningCLI in subclass mode, with a default task and data set, and a folder for every run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.exit_status = 0
        self.origin = Origin()
        self.left_to_data: list[str] = []  # of the model's options, those that were given as null
        self.stop, self.validation = GracefulStop(), LastValidation()
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
        self.origin = self._find_origin(options)
        if self.origin.content is None:
            if self.config.subcommand != "fit":
                log.warning(
                    "no --ckpt_path is given: nothing is learned here, all is as random as at the start"
                )
            return
        path, checkpoint = self.origin.path, self.origin.content
        task = options.model.class_path.rpartition(".")[2]
        if checkpoint["task"] != task:
            raise InputError(
                f"{path} is a checkpoint of {checkpoint['task']}, not of {task}:"
                " give another, or the configuration that it was made with"
            )
        options.ckpt_path = str(path)
        log.info("%s from %s, step %d", self.config.subcommand, path, self.origin.step)
        given, known = options.model.init_args.clone(), checkpoint["hyper_parameters"]
        self.left_to_data = [name for name, value in vars(given).items() if value is None]
        self._follow_checkpoint(known)
        taken = self._take_options(known, given)
        for name, value in vars(given).items():
            if name not in known:
                log.warning("the checkpoint is older than the option model.%s: it is %s now", name, value)
            elif name not in self.left_to_data and taken[name] != value:
                log.info("model.%s is %s, from the checkpoint (not %s)", name, taken[name], value)

    def _take_options(self, known: dict[str, Any], given: Namespace) -> Any:
        """Have the checkpoint's hyper-parameters take the place of the model's options, and return them.

        The model's options alone: Lightning would take any class that a file names, and import it. A path
        is not followed, but that which is given.
        """
        verb = str(self.config.subcommand)
        taken = {name: value for name, value in known.items() if name in given}
        taken |= {name: given[name] for name in PATHS & taken.keys() if Path(str(taken[name])).suffix}
        model = {"class_path": self.config[verb].model.class_path, "init_args": taken}
        self.config = self.parser.parse_object({verb: {"model": model}}, self.config)
        return self.config[verb].model.init_args

    def _find_origin(self, options: Any) -> Origin:
        """What is taken up: a checkpoint that is named, or where the same command was, if it was."""
        verb = str(self.config.subcommand)
        if options.get("ckpt_path"):
            path = named_checkpoint(options.ckpt_path, options.run, self._stem())
            return origin_of_checkpoint(verb, path, options.run)
        folder = RunFolder(Path(options.run or os.devnull))
        if verb != "fit" or options.trainer.fast_dev_run or not folder.config.is_file():
            return Origin()
        return origin_of_command(folder, options_as_text(self._parser("fit"), options))

    def _follow_checkpoint(self, parameters: dict[str, Any]) -> None:
        """Options that the model's are linked to must agree with the checkpoint, too."""
        options = self.config[self.config.subcommand]
        for option, parameter in {"seed_everything": "seed", "data.init_args.size": "image_size"}.items():
            if parameter in parameters and options.get(option) not in (None, parameters[parameter]):
                value = parameters[parameter]
                name = option.replace("init_args.", "")
                log.info("%s is %s, from the checkpoint (not %s)", name, value, options[option])
                options[option] = value

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
            kwargs["default_root_dir"] = options.trainer.default_root_dir or str(self.folder)
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
        environment = getattr(trainer.strategy, "cluster_environment", None)
        if isinstance(environment, SLURMEnvironment):  # it would save within a step, beside our checkpoints
            environment.auto_requeue = False
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
        step = self.origin.step
        if step is not None and not self.origin.again and 0 < trainer.max_steps <= step:
            raise InputError(
                f"{options.ckpt_path} is at step {step} already: give a --trainer.max_steps above it to go on"
            )

    def _run_folder(self, options: Any) -> RunFolder:
        """Where this run writes: the folder it goes on with, the one that is named, or the next one."""
        if self.origin.home is not None:
            folder = self.origin.home
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
        ours: list[Any] = [JsonLinesLogger(self.folder.metrics, self.origin.step)]
        if given in (None, True):
            return [*ours, EventsLogger(self.folder.path, self.origin.step)]
        return [*ours, *(given if isinstance(given, list) else [given])]

    def _fit_callbacks(self) -> list[Callback]:
        options = self.config[self.subcommand].clone()
        for name in self.left_to_data:  # as they were given, not as the checkpoint has them
            options.model.init_args[name] = None
        callbacks: list[Callback] = [
            KeptOptions(self.folder, options_as_text(self._parser(self.subcommand), options)),
            NetThreads(NET_THREADS),
            Starts(self.folder.environment, options.seed_everything),
            StepCount(),
            self.stop,
            self.validation,
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
            self.best = BestCheckpoint(self.folder.best, self.model.monitor)
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
            if self.folder.last_saved() != self.origin.saved:
                raise InputError(f"another program has just written to {self.folder}: give the command again")
            yield

    def fit(self, model: LightningModule, **kwargs: Any) -> None:
        with self._alone():
            if self.origin.summary is None:
                self._fit(model, **kwargs)
            elif is_rank_zero():
                log.info("%s is finished: there is nothing left to do", self.folder)
                self._tell(self.origin.summary)

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
            said = " ".join(str(error).split())[:120]
            raise ConnectionError(
                f"another process of this run is lost ({said}): {self._what_is_kept()};"
                f" the same command goes on, with --run {self.folder}"
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
        no_step_left = self.trainer.global_step == self.origin.step
        if self.origin.again and no_step_left and self.origin.path != self.folder.last:
            self.trainer.save_checkpoint(self.folder.last)  # in place of the damaged one
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
            since=self.origin.step or 0,
            monitor=self.model.monitor,
            best=None if best is None else best.item(),
            validated=self.validation.step,
            metrics=self.validation.metrics,
        )
        summary.write(self.folder)
        self._tell(summary)
        if not finished:
            self.exit_status = EXIT_STATUS[str(self.stop.signal_name)]

    def _tell(self, summary: Summary) -> None:
        print("\n".join([*summary.lines(self.folder), *self.what_next(summary.finished)]))

    def what_next(self, finished: bool) -> list[str]:
        """What can be done with what this run has left."""
        return after_fit(self.folder, self.model, finished)

    def validate(self, model: LightningModule, **kwargs: Any) -> None:
        self._judge(self.trainer.validate(model, **kwargs))

    def test(self, model: LightningModule, **kwargs: Any) -> None:
        self._judge(self.trainer.test(model, **kwargs))

    def _judge(self, results: Any) -> None:
        """Append the figures to the run's evaluations.jsonl."""
        path = self.config[self.subcommand].ckpt_path
        folder = RunFolder.of_checkpoint(Path(path)) if path else None
        if folder and results and self.trainer.is_global_zero:
            row = {"verb": self.subcommand, "checkpoint": path, "step": self.origin.step}
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
