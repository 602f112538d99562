"""`--model.help` and `--data.help`: the options of one class, without those of the Trainer."""

import pydoc

from jsonargparse import ArgumentParser

from fractalgan.errors import InputError

DEFAULT_CLASSES = {"model": "fractalgan.FractalGAN", "data": "fractalgan.ImageData"}

# Arguments that follow other options, see parser.LINKS, or that the program sets.
SET_BY_OTHERS = {"model": {"image_size", "seed"}, "data": {"seed", "fractals_copy"}}


def class_help(arguments: list[str]) -> str | None:
    """The help that a command line asks for by ``--model.help CLASS`` or ``--data.help CLASS``.

    Args:
        arguments: the options of a verb.

    Returns:
        The help; None if the command line does not ask for it.

    Raises:
        InputError: if there is no such class.
    """
    for group, default in DEFAULT_CLASSES.items():
        for position, argument in enumerate(arguments):
            option, _, name = argument.partition("=")
            if option == f"--{group}.help":
                return _options_of(group, name or next(iter(arguments[position + 1 :]), default))
    return None


def _options_of(group: str, name: str) -> str:
    found = pydoc.locate(name) or pydoc.locate(f"fractalgan.{name}")
    if not isinstance(found, type):
        raise InputError(f"--{group}.help: there is no class {name}: try {DEFAULT_CLASSES[group]}")
    usage = f"python -m fractalgan fit --{group} {name} [--{group}.OPTION VALUE ...]"
    parser = ArgumentParser(prog="fractalgan", usage=usage, add_help=False)
    parser.add_class_arguments(found, group, skip=SET_BY_OTHERS[group])
    lines = parser.format_help().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(f"  --{group} CONFIG"))
