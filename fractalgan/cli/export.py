"""`export`: fractals from any source to a file, in the format of its suffix."""

from pathlib import Path

from jsonargparse import ArgumentParser

from fractalgan.cli.parser import PARSER_OPTIONS
from fractalgan.errors import InputError
from fractalgan.nn import FractalGenerator
from fractalgan.reports import format_commands, quote
from fractalgan.storage import READERS, read_fractals, require_suffix


def export(arguments: list[str]) -> int:
    """Run `export`; the exit status."""
    options = _make_parser().parse_args(arguments)
    path = Path(options.out)
    require_suffix(path)
    if path.exists() and (not options.overwrite or not path.is_file()):
        hint = ", or --overwrite true" if path.is_file() else ""
        raise InputError(f"{path} exists already: set another --out{hint}")
    indices = _indices(options.fractals)
    content = read_fractals(options.source)
    generator = FractalGenerator.of_file(content, options.source)
    number = len(generator.embedding) if indices is None else len(indices)
    generator.save(path, content.provenance, fractals=indices)
    print(f"{number} {'fractal' if number == 1 else 'fractals'} written to {path}")
    print(*_next_commands(path, options.source, number), sep="\n")
    return 0


def _make_parser() -> ArgumentParser:
    parser = ArgumentParser(prog="fractalgan export", description=None, **PARSER_OPTIONS)
    parser.add_argument(
        "source",
        type=str,
        help="Name of shipped fractals, file of fractals, checkpoint, or run folder.",
    )
    parser.add_argument(
        "--out",
        type=str,
        required=True,
        help="File to write; its suffix is the format: .safetensors, .json, .flame, .flam3, .ifs or .svg.",
    )
    parser.add_argument(
        "--fractals",
        type=str,
        nargs="+",
        default=None,
        help="Indices of the fractals to write; default: all.",
    )
    parser.add_argument("--overwrite", type=bool, default=False, help="Whether an existing file is replaced.")
    return parser


def _indices(words: list[str] | None) -> list[int] | None:
    if words is None:
        return None
    for word in words:
        if not word.isdecimal():
            raise InputError(f"--fractals must be indices, such as 0 3 7, got {word}")
    return [int(word) for word in words]


def _next_commands(path: Path, source: str, number: int) -> list[str]:
    if path.suffix.lower() not in READERS:
        return format_commands(flame=f"export {quote(source)} --out {quote(path.with_suffix('.flame'))}")
    commands = {"maps": f"export {quote(path)} --out {quote(path.with_suffix('.svg'))}"}
    if number > 1:
        commands["pre-train"] = f"fit --config pretraining.yaml --model.fractals {quote(path)}"
    return format_commands(**commands)
