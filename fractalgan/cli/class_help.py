"""`--model.help` and `--data.help`: the options of one class, without those of the Trainer."""

import pydoc

from jsonargparse import ArgumentParser
from pytorch_lightning import LightningDataModule

from fractalgan.cli.did_you_mean import did_you_mean_class
from fractalgan.errors import InputError
from fractalgan.tasks import Task

# What the class of each group is, its base class, and the default.
CLASSES = {
    "model": ("a task", Task, "fractalgan.FractalGAN"),
    "data": ("a data module", LightningDataModule, "fractalgan.ImageData"),
}

# Arguments that follow other options, see linked_options.LINKS, or that the program sets.
SET_BY_OTHERS = {"model": {"image_size", "seed"}, "data": {"seed", "fractals_copy"}}

WITHOUT_CLASSES = ("draw", "export", "report", "compare", "distill", "ablate")


def class_help(verb: str, arguments: list[str]) -> str | None:
    """The help that a command line asks for by ``--model.help [CLASS]`` or ``--data.help [CLASS]``.

    Args:
        verb: the command.
        arguments: its options.

    Returns:
        The help; None if the command line does not ask for it.

    Raises:
        InputError: if there is no such class, or if it belongs to another group of options.
    """
    for group, (_, _, default) in CLASSES.items():
        for position, argument in enumerate(arguments):
            option, _, name = argument.partition("=")
            if option == f"--{group}.help":
                if verb in WITHOUT_CLASSES:
                    raise InputError(f"{verb} has no {option}: use {verb} --help-all")
                following = [each for each in arguments[position + 1 :][:1] if not each.startswith("-")]
                return _options_of(verb, group, name or next(iter(following), default))
    return None


def _options_of(verb: str, group: str, name: str) -> str:
    kind, base, default = CLASSES[group]
    found = pydoc.locate(name) or pydoc.locate(f"fractalgan.{name}")
    if not isinstance(found, type):
        hint = did_you_mean_class(name) or f": try {default}"
        raise InputError(f"--{group}.help: there is no class {name}{hint}")
    if not issubclass(found, base):
        others = [other for other, (_, its_base, _) in CLASSES.items() if issubclass(found, its_base)]
        hint = f"use --{others[0]}.help {name}" if others else f"try {default}"
        raise InputError(f"--{group}.help: {name} is not {kind}: {hint}")
    usage = f"python -m fractalgan {verb} --{group} {name} [--{group}.OPTION VALUE ...]"
    parser = ArgumentParser(prog="fractalgan", usage=usage, add_help=False)
    parser.add_class_arguments(found, group, skip=SET_BY_OTHERS[group])
    lines = parser.format_help().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(f"  --{group} CONFIG")).replace("``", "")
