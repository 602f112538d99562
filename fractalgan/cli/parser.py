"""The options of Lightning's verbs: a task, its data, the Trainer, and ours."""

from contextlib import suppress
from typing import Any

from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeFloat, NonNegativeInt, PositiveInt
from pytorch_lightning import LightningDataModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser

from fractalgan.callbacks.image_writer import Format
from fractalgan.cli.config_files import config_contents, parse_with_configs
from fractalgan.cli.linked_options import LINKS, refuse_linked_options, typed_options
from fractalgan.cli.loggers import LOGGER_HELP, LoggerOption
from fractalgan.data.fractals import LabelKind
from fractalgan.errors import InputError
from fractalgan.tasks import Task

# Options are written in full, and errors are printed by us.
PARSER_OPTIONS: dict[str, Any] = {"exit_on_error": False, "allow_abbrev": False}

TRAINER_DEFAULTS = {
    "max_steps": 1500,
    "val_check_interval": 250,
    "check_val_every_n_epoch": None,  # training data is an endless stream: everything is counted in steps
    "log_every_n_steps": 25,
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,
    "enable_autolog_hparams": False,  # it fails where task and data have options of one name; we log them
}

DEFAULT_CLASSES = {"model": "fractalgan.FractalGAN", "data": "fractalgan.ImageData"}


class Parser(LightningArgumentParser):
    """A parser that dumps every option but those that follow another one."""

    def dump(self, namespace: Namespace, *args: Any, **options: Any) -> str:
        # jsonargparse leaves out every target of a link, also where a class lacks what it would follow
        kept = namespace.clone()
        for target, source in LINKS.items():
            if source in kept:
                kept.pop(target, None)
        return str(super().dump(kept, *args, **options | {"skip_link_targets": False}))


def make_parser(verb: str) -> LightningArgumentParser:
    """The parser of fit, validate, test, or predict."""
    parser = Parser(prog=f"fractalgan {verb}", description="", **PARSER_OPTIONS)
    parser.add_argument("-c", "--config", action="config", help="YAML file with options.")
    parser.add_argument("--seed_everything", type=NonNegativeInt, default=0, help="Random seed, >= 0.")
    parser.add_argument(
        "--run",
        type=str | None,
        default=None,
        help="Folder of the run; default: the next free of runs/gan-digits-1, runs/gan-digits-2, ...",
    )
    parser.add_argument(
        "--ckpt_path",
        type=str | None,
        default=None,
        help="Checkpoint to resume or to evaluate: a file, or last or best of --run or of the newest run.",
    )
    if verb == "predict":
        parser.add_argument(
            "--images", type=PositiveInt | None, default=None, help="Images per fractal; default: 600."
        )
        parser.add_argument(
            "--size", type=PositiveInt | None, default=None, help="H = W of the images; default: as trained."
        )
        parser.add_argument(
            "--jitter",
            type=NonNegativeFloat | None,
            default=None,
            help="Standard deviation of the noise on the transforms of each image; default: as trained.",
        )
        parser.add_argument(
            "--format",
            type=Format,
            default="imagefolder",
            help="PNG files in one folder per label, or the shards of a WebDataset.",
        )
        parser.add_argument(
            "--labels",
            type=LabelKind,
            default="fractal",
            help="What images are labeled with: their fractal, or the class that it carries.",
        )
    parser.add_class_arguments(  # as add_lightning_class_args does, but for one option
        Trainer, "trainer", skip={"logger"}, instantiate=False, fail_untyped=False, sub_configs=True
    )
    parser.add_argument("--trainer.logger", type=LoggerOption, default=None, help=LOGGER_HELP)
    parser.set_defaults({f"trainer.{name}": value for name, value in TRAINER_DEFAULTS.items()})
    for base, group in ((Task, "model"), (LightningDataModule, "data")):  # parse() sets their default classes
        parser.add_lightning_class_args(base, group, subclass_mode=True, required=False)
    for target, source in LINKS.items():
        # a NonNegativeInt, as any class of its own, would keep a checkpoint from loading with weights_only
        parser.link_arguments(source, target, int if source == "seed_everything" else None)
    return parser


def parse(parser: LightningArgumentParser, arguments: list[str]) -> Namespace:
    """The options of a command line.

    Args:
        parser: of the verb.
        arguments: the command line without the verb.

    Raises:
        InputError: for a group of options that has another type, or an option without effect.
        ArgumentError: for any other error.
    """
    try:
        _set_default_classes(parser, arguments)
        options = parse_with_configs(parser, arguments)
    except InputError:
        raise
    except ValueError as error:  # of jsonargparse, for some malformed configurations
        raise InputError(f"the options cannot be read: {error}") from error
    options.seed_everything = int(options.seed_everything)
    for name in ("trainer", "model", "data"):
        if not isinstance(options.get(name), Namespace):
            raise InputError(f"--{name} must be a group of named options, got {options.get(name)!r}")
    refuse_linked_options(arguments, options)
    return options


def _set_default_classes(parser: LightningArgumentParser, arguments: list[str]) -> None:
    """Set the class of each group: that of the files, or ours, unless it is set on the command line.

    A class that differed from the one set here would be given its values for arguments of the same name.
    """
    typed, contents = set(typed_options(arguments)), config_contents(arguments)
    for group, default in DEFAULT_CLASSES.items():
        if group not in typed and f"{group}.class_path" not in typed:
            named = [name for content in contents if (name := _class_in(content, group))]
            with suppress(AttributeError, ImportError, ValueError):  # there is no such class: parsing says so
                parser.set_defaults({group: {"class_path": named[-1] if named else default}})


def _class_in(content: Any, group: str) -> str | None:
    """The class that a configuration file names for a group, in full or for short: ``data: a.Class``."""
    value = content.get(group) if isinstance(content, dict) else None
    name = value.get("class_path") if isinstance(value, dict) else value
    return name if isinstance(name, str) else None


def config_text(parser: LightningArgumentParser, options: Namespace) -> str:
    """The content of config.yaml: every option but where the run is, so that the file makes it again."""
    kept = options.clone()
    kept.config = kept.run = kept.ckpt_path = None
    return str(parser.dump(kept, skip_none=False))
