"""`export`: fractals from any source, or a backbone, to a file, in the format of its suffix."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from fractalgan.cli.shared_options import make_fractals_parser, require_writable, typed_indices
from fractalgan.errors import InputError
from fractalgan.nn import FractalGenerator, export_backbone
from fractalgan.reports import format_commands, quote
from fractalgan.storage import READERS, is_backbone, read_backbone, read_fractals, require_suffix
from fractalgan.tasks.task import options_for_next

GRAPHS = (".onnx", ".pt2")  # suffixes of networks only


def export(arguments: list[str]) -> int:
    """Run `export`; the exit status."""
    options = _make_parser().parse_args(arguments)
    path = Path(options.out)
    if is_backbone(options.source) or path.suffix.lower() in GRAPHS:
        return _export_backbone(options, path)
    require_suffix(path)
    require_writable(path, options.overwrite)
    indices = typed_indices(options.fractals)
    content = read_fractals(options.source)
    generator = FractalGenerator.of_file(content, options.source)
    number = len(generator.embedding) if indices is None else len(indices)
    generator.save(path, content.provenance, fractals=indices)
    print(f"{number} {'fractal' if number == 1 else 'fractals'} written to {path}")
    print(*_next_commands(path, options.source, number), sep="\n")
    return 0


def _export_backbone(options: Namespace, path: Path) -> int:
    if options.fractals is not None:
        raise InputError(f"--fractals has no effect with {options.source}, which is a network: remove it")
    require_writable(path, options.overwrite)
    content = read_backbone(options.source)
    export_backbone(content, path, options.source)
    size = content.network["image_size"]
    print(f"{content.network['network']} for images of {size} x {size} pixels written to {path}")
    if path.suffix.lower() == ".safetensors":
        sizes = options_for_next({"data.size": size, "data.channels": content.network["channels"]})
        command = f"fit --config finetuning.yaml --model.backbone {quote(path)}{sizes}"
        print(*format_commands(**{"fine-tune": command}), sep="\n")
    return 0


def _make_parser() -> ArgumentParser:
    parser = make_fractals_parser("export")
    parser.add_argument(
        "--out",
        type=str,
        required=True,
        help="File to write; its suffix is the format: .safetensors, .json, .flame, .flam3, .ifs or .svg for"
        " fractals, .safetensors, .onnx or .pt2 (torch.export) for a network of Pretraining or Classifier.",
    )
    return parser


def _next_commands(path: Path, source: str, number: int) -> list[str]:
    if path.suffix.lower() not in READERS:
        return format_commands(flame=f"export {quote(source)} --out {quote(path.with_suffix('.flame'))}")
    commands = {"maps": f"export {quote(path)} --out {quote(path.with_suffix('.svg'))}"}
    if number > 1:
        commands["pre-train"] = f"fit --config pretraining.yaml --model.fractals {quote(path)}"
    return format_commands(**commands)
