"""Prints the help of all commands, tasks and data modules as JSON; run by options.py in a process of its own.

Within Sphinx, parsers of the command line fail, so that a fresh interpreter makes their help.
"""

import contextlib
import io
import json

from jsonargparse import ArgumentParser
from pytorch_lightning import LightningDataModule

import fractalgan
from fractalgan.callbacks import SetMetrics
from fractalgan.cli.class_help import class_help
from fractalgan.cli.program import VERBS, run
from fractalgan.tasks import Task

BASES = {"model": Task, "data": LightningDataModule}


def help_texts() -> dict[str, str]:
    """The help of each command, such as ``fit``, and of each class, such as ``model FractalGAN``."""
    texts = {}
    for verb in VERBS:
        with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
            run([verb, "--help"])
        texts[verb] = printed.getvalue()
    for name in fractalgan.__all__:
        for group, base in BASES.items():
            if isinstance(found := getattr(fractalgan, name), type) and issubclass(found, base):
                texts[f"{group} {name}"] = class_help("fit", [f"--{group}.help", name]) or ""
    parser = ArgumentParser(add_help=False)
    parser.add_class_arguments(SetMetrics, "init_args", fail_untyped=False)
    texts["callback SetMetrics"] = parser.format_help()
    return texts


if __name__ == "__main__":
    print(json.dumps(help_texts()))
