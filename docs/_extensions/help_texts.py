"""The help of all commands, tasks and data modules, and the options in it.

options.py runs this file in a process of its own, which prints JSON, because parsers of the command line fail
within Sphinx.
"""

import contextlib
import io
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from jsonargparse import ArgumentParser
from pytorch_lightning import LightningDataModule

import fractalgan
from fractalgan.callbacks import ClassificationAccuracyScore, SetMetrics
from fractalgan.cli.class_help import class_help
from fractalgan.cli.program import VERBS, run
from fractalgan.tasks import Task

BASES = {"model": Task, "data": LightningDataModule}
FLAG = re.compile(r"^  (-\S.*?)(?:  +(\S.*))?$")
DETAILS = re.compile(r" ?\(((?:required, )?type: .*)\)$")
NO_OPTIONS = re.compile(
    r"-h, --help|--print_config|\S+\.help |"
    r"--(trainer|model|data|init_args|plan|pretraining|drawing) CONFIG|"
    r"--(classifier|reconstruction|gan|distillation|finetuning) CONFIG"
)


class Option(NamedTuple):
    """An entry of a help page."""

    group: str  # as `plan` of `--plan.seeds`; empty for an option without one
    flag: str
    description: str
    details: str  # type and default


def options_in(help_page: str) -> Iterator[Option]:
    """The options of a help page of jsonargparse that is wide enough for one line per description."""
    lines = help_page.splitlines()
    for number, line in enumerate(lines):
        if not (found := FLAG.match(line)) or NO_OPTIONS.match(found[1]):
            continue
        text = found[2] or (lines[number + 1] if number + 1 < len(lines) else "")
        text = re.sub(r", known subclasses: .*\)$", ")", text.strip())
        details = DETAILS.search(text)
        flag = found[1].split(", --")[0] if "+ " in found[1] else found[1]
        name = flag.split()[0].lstrip("-")
        group = name.rpartition(".")[0]
        yield Option(group, flag, DETAILS.sub("", text), details[1] if details else "")


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
    for callback in (SetMetrics, ClassificationAccuracyScore):
        parser = ArgumentParser(add_help=False)
        parser.add_class_arguments(callback, "init_args", fail_untyped=False)
        texts[f"callback {callback.__name__}"] = parser.format_help()
    return texts


if __name__ == "__main__":
    print(json.dumps(help_texts()))
