"""The options that `draw` and `export` have in common."""

from pathlib import Path

from jsonargparse import ArgumentParser

from fractalgan.cli.parser import PARSER_OPTIONS
from fractalgan.errors import InputError


def make_fractals_parser(verb: str) -> ArgumentParser:
    """The parser of a command that reads fractals and writes files, which has ``--overwrite``."""
    parser = ArgumentParser(prog=f"fractalgan {verb}", description=None, **PARSER_OPTIONS)
    parser.add_argument(
        "source",
        type=str,
        help="Fractals: the name of shipped ones, a file, a checkpoint, or a run folder.",
    )
    parser.add_argument(
        "--fractals", type=str, nargs="+", default=None, help=f"Indices of fractals to {verb}; default: all."
    )
    parser.add_argument("--overwrite", type=bool, default=False, help="Whether an existing file is replaced.")
    return parser


def typed_indices(words: list[str] | None) -> list[int] | None:
    """The value of --fractals; None for all.

    Raises:
        InputError: for a word that is no index.
    """
    for word in words or []:
        if not word.isdecimal():
            raise InputError(f"--fractals must be indices, such as 0 3 7, got {word}")
    return None if words is None else [int(word) for word in words]


def require_writable(out: Path, overwrite: bool, *, folder: bool = False) -> None:
    """Raise InputError if something exists at a path, unless it may be replaced.

    Args:
        out: the path.
        overwrite: the value of --overwrite.
        folder: whether files are written to a folder there, and not one file.
    """
    replaceable = out.is_dir() if folder else out.is_file()
    if out.exists() and not (overwrite and replaceable):
        hint = ", or --overwrite true" if replaceable else ""
        raise InputError(f"{out} exists already: set another --out{hint}")
