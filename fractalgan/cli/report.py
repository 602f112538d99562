"""`report`: a page about runs."""

import logging
from pathlib import Path

from jsonargparse import ArgumentParser

from fractalgan.cli.parser import PARSER_OPTIONS
from fractalgan.reports import write_page
from fractalgan.storage import RunFolder

log = logging.getLogger(__name__)


def report(arguments: list[str]) -> int:
    """Run `report`; the exit status."""
    options = _make_parser().parse_args(arguments)
    page = write_page([RunFolder(Path(run)) for run in options.runs], options.out and Path(options.out))
    print(f"written to {page}: open it in a browser")
    return 0


def print_page(run: RunFolder) -> None:
    """Write the page of a finished run, and print where it is; what goes wrong does not touch the run."""
    try:
        print(f"page: {write_page([run])}")
    except Exception as error:
        log.warning("no page was written (%s): the command `report %s` writes it", error, run)


def _make_parser() -> ArgumentParser:
    parser = ArgumentParser(prog="fractalgan report", description=None, **PARSER_OPTIONS)
    parser.add_argument("runs", type=str, nargs="+", help="Run folders.")
    parser.add_argument(
        "--out",
        type=str | None,
        default=None,
        help="File of the page; default: report.html in the folder of the only run.",
    )
    return parser
