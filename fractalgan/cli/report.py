"""`report`: a page about runs."""

from pathlib import Path

from jsonargparse import ArgumentParser

from fractalgan.cli.parser import PARSER_OPTIONS
from fractalgan.reports import write_page
from fractalgan.storage import RunFolder


def report(arguments: list[str]) -> int:
    """Run `report`; the exit status."""
    options = _make_parser().parse_args(arguments)
    page = write_page([RunFolder(Path(run)) for run in options.runs], options.out and Path(options.out))
    print(f"written to {page}: open it in a browser")
    return 0


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
