"""What experiments of many cells share: options, a folder to go on with, workers, a progress bar."""

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fractalgan.answer import EXIT_STATUS, STRICT
from fractalgan.cells import Cells, Row
from fractalgan.environment import record_start
from fractalgan.errors import InputError
from fractalgan.reports import next_commands
from fractalgan.run_folder import RunFolder
from fractalgan.whole_file import write_whole
from fractalgan.workers import run_jobs

Job = TypeVar("Job")


def make_parser(verb: str, about: str | None) -> ArgumentParser:
    """A parser with the options of every experiment; its own are added to it."""
    parser = ArgumentParser(prog=f"fractalgan {verb}", description=about, **STRICT)
    parser.add_argument("--config", action="config", help="Take the options from a YAML file.")
    parser.add_argument(
        "--run",
        type=str | None,
        default=None,
        help=f"The folder; one that holds such a run is gone on with. Default: the next of runs/{verb}-...",
    )
    return parser


def parse(parser: ArgumentParser, arguments: list[str]) -> Namespace:
    """The options; where a folder is gone on with and no file is given, its own with those on top."""
    options = parser.parse_args(arguments)
    if options.run and not options.config and (config := RunFolder(Path(options.run)).config).is_file():
        options = parser.parse_args(["--config", str(config), *arguments])
    return options


@contextlib.contextmanager
def open_folder(
    parser: ArgumentParser, options: Namespace, stem: str, free: dict[str, set[str]]
) -> Iterator[RunFolder]:
    """The folder that is gone on with, or a new one called ``stem``, with the options as config.yaml.

    Raises InputError where it was made with other options than those, of which ``free`` ones may be others,
    and where another program is writing there.
    """
    kept = options.clone()
    kept.config = kept.run = None
    text = str(parser.dump(kept, skip_none=False))
    if options.run and (folder := RunFolder(Path(options.run))).config.is_file():
        if _that_count(folder.config.read_text(), free) != _that_count(text, free):
            raise InputError(f"{folder} was made with other options: give another --run")
    else:
        folder = RunFolder.create(Path(options.run)) if options.run else RunFolder.create_next(stem.lower())
    with folder.locked():
        write_whole(folder.config, text)
        record_start(folder.environment)
        yield folder


def _that_count(text: str, free: dict[str, set[str]]) -> Any:
    """The options that results depend on, of a config.yaml."""
    options = yaml.safe_load(text)
    for group, names in free.items():
        for name in names:
            options[group].pop(name, None)
    return options


def run_cells(
    verb: str,
    work: Callable[[Job], Iterator[Row]],
    jobs: Sequence[Job],
    count: int,
    workers: int,
    cells: Cells,
    describe: Callable[[Row], str],
) -> None:
    """Run the jobs, ``count`` cells in all, write every cell as it comes, and show how far it is."""
    done = len(cells.rows)
    bar = Progress(
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("left  {task.fields[last]}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with _sigterm_as_ctrl_c(), bar:
        task = bar.add_task("cells", total=done + count, completed=done, last="")
        for row in run_jobs(work, jobs, workers):
            cells.append(row)
            bar.update(task, advance=1, last=describe(row))
            if bar.disable:
                said = f"cell {len(cells.rows)} of {done + count}  {describe(row)}"
                print(said, file=sys.stderr, flush=True)


def stopped(verb: str, folder: RunFolder) -> int:
    """Say how to go on after Ctrl-C, and return the exit status."""
    print(*next_commands(**{"go on with all": f"fractalgan {verb} --run {folder}"}))
    return EXIT_STATUS["SIGINT"]


def write_summary(folder: RunFolder, summary: dict[str, Any]) -> None:
    """Write ``summary.json``, whole or not at all."""
    write_whole(folder.summary, json.dumps(summary, indent=2) + "\n")


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Have what a batch queue sends end the workers in an orderly way, too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
