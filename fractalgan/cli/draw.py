"""`draw`: pictures and animations of fractals, at any size and zoom."""

import logging
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Literal, TypeVar

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt
from PIL import Image
from rich.console import Console
from rich.progress import track

from fractalgan.cli.shared_options import make_fractals_parser, require_writable, typed_indices
from fractalgan.errors import InputError, require_at_least, require_at_most
from fractalgan.nn import MAX_ZOOM, MIN_ZOOM, Detail, FractalGenerator
from fractalgan.reports import (
    Paint,
    cell_size,
    check_animation,
    format_commands,
    morph_frames,
    picture_grid,
    quote,
    write_animation,
    zoom_frames,
)
from fractalgan.storage import RunFolder, atomic_path, require_indices

log = logging.getLogger(__name__)

T = TypeVar("T")

PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
PICTURE_SIZE, ANIMATION_SIZE = Detail().size, 480  # pixels
ZOOMS = {"zoom": 1000.0, "morph": 1.0}
SECONDS = {"zoom": 6.0, "morph": 2.0}  # of a zoom, and from one fractal to the next
FPS, MAX_FRAMES, MAX_FRAME_PIXELS = 20, 2000, 1_000_000_000  # 3 GB


def draw(arguments: list[str]) -> int:
    """Run `draw`; the exit status."""
    options = _make_parser().parse_args(arguments)
    generator = FractalGenerator.from_pretrained(options.source)
    fractals = _chosen_fractals(options, len(generator.embedding))
    paint = Paint(options.colormap, options.background)
    paint.check(generator.embedding.features.num_features)
    Detail(options.size or PICTURE_SIZE, options.points_per_pixel).check()
    require_at_least(MIN_ZOOM, zoom=options.zoom or 1)
    require_at_most(MAX_ZOOM, zoom=options.zoom or 1)
    out = _output(options)
    if options.animate is not None:
        check_animation(out)
        write_animation(out, _frames(options, generator, fractals, paint), options.fps or FPS)
    elif out.suffix:
        _write_grid(out, options, generator, fractals, paint)
    else:
        _write_each(out, options, generator, fractals, paint)
    print(f"written to {out}")
    print(*_next_steps(options, fractals), sep="\n")
    return 0


def _make_parser() -> ArgumentParser:
    parser = make_fractals_parser("draw")
    parser.add_argument(
        "--out",
        type=str | None,
        default=None,
        help="File for one picture of all, or folder for a picture of each; default: the name of the source.",
    )
    parser.add_argument("--size", type=PositiveInt | None, default=None, help="Width of each file in pixels.")
    parser.add_argument("--zoom", type=PositiveFloat | None, default=None, help="Magnification; default: 1.")
    parser.add_argument(
        "--center",
        type=float,
        nargs=2,
        help="Point in the middle, (down, right) in the plane; default: one that is worth zooming into.",
    )
    parser.add_argument("--colormap", type=str | None, default=None, help="Color map of matplotlib.")
    parser.add_argument("--background", type=str | None, default=None, help="Color, or transparent.")
    parser.add_argument(
        "--animate", type=Literal["zoom", "morph"] | None, default=None, help="Make an animation."
    )
    parser.add_argument("--seconds", type=PositiveFloat | None, default=None, help="Length of an animation.")
    parser.add_argument(
        "--fps", type=PositiveInt | None, default=None, help="Frames per second; default: 20."
    )
    parser.add_argument(
        "--points_per_pixel",
        type=PositiveInt,
        default=Detail().points_per_pixel,
        help="More points make less grain.",
    )
    parser.add_argument("--seed", type=NonNegativeInt, default=0, help="Random seed.")
    return parser


# -- what to draw, and where to -----------------------------------------------------------------------


def _chosen_fractals(options: Namespace, number: int) -> list[int]:
    """The indices of the fractals.

    Raises:
        InputError: for one that does not exist, or a number of them that the animation cannot have.
    """
    typed = typed_indices(options.fractals)
    fractals = list(range(number)) if typed is None else typed
    require_indices(fractals, number)
    if options.animate is None:
        for name in ("seconds", "fps"):
            if getattr(options, name) is not None:
                raise InputError(f"{name} has no effect on a picture: add --animate zoom or --animate morph")
    if options.animate == "zoom" and len(fractals) > 1:
        raise InputError("animate zoom needs one fractal: set --fractals, for example --fractals 0")
    if options.animate == "morph" and len(fractals) < 2:
        raise InputError(
            "animate morph needs two or more fractals: set --fractals, for example --fractals 0 1"
        )
    return fractals


def _output(options: Namespace) -> Path:
    """The file or folder to write to, the default being a new file in the current folder.

    Raises:
        InputError: if it exists, or has another format.
    """
    if options.out is None:
        name, suffix = _name_of(Path(options.source)), ".png" if options.animate is None else ".gif"
        numbered = (Path(name + (f"-{n}" if n > 1 else "") + suffix) for n in count(1))
        return next(path for path in numbered if not path.exists())
    out = Path(options.out)
    if options.animate is None and out.suffix and out.suffix.lower() not in PICTURES:
        raise InputError(f"out must end in {', '.join(PICTURES)}, or be a folder, got {out}")
    if options.background == "transparent" and out.suffix.lower() in (".jpg", ".jpeg", ".mp4"):
        raise InputError(f"{out.suffix} files have no transparent background: use .png or .webp")
    require_writable(out, options.overwrite, folder=options.animate is None and not out.suffix)
    return out


def _name_of(source: Path) -> str:
    """The name of a run for its folder and its checkpoints, else that of the file without the suffix."""
    run = RunFolder.of_checkpoint(source)
    if run is not None:
        return run.path.resolve().name
    return source.resolve().name if source.is_dir() else source.stem


# -- drawing ------------------------------------------------------------------------------------------


def _write_grid(
    out: Path, options: Namespace, generator: FractalGenerator, fractals: list[int], paint: Paint
) -> None:
    size = options.size or PICTURE_SIZE
    pictures = list(_pictures(options, generator, fractals, paint, cell_size(size, len(fractals))))
    with atomic_path(out) as temporary:
        picture_grid(pictures, size).save(temporary, format=PICTURES[out.suffix.lower()])


def _write_each(
    out: Path, options: Namespace, generator: FractalGenerator, fractals: list[int], paint: Paint
) -> None:
    pictures = _pictures(options, generator, fractals, paint, options.size or PICTURE_SIZE)
    for fractal, picture in zip(fractals, pictures, strict=True):
        with atomic_path(out / f"{fractal:03d}.png") as temporary:
            picture.save(temporary, format="PNG")


def _pictures(
    options: Namespace, generator: FractalGenerator, fractals: list[int], paint: Paint, size: int
) -> Iterator[Image.Image]:
    for fractal in _tracked(fractals, len(fractals)):
        layer = generator.picture(
            fractal,
            size=size,
            zoom=options.zoom or 1.0,
            center=_center(options),
            points_per_pixel=options.points_per_pixel,
            seed=options.seed,
        )
        if not layer.alpha.any():
            log.warning("this view shows nothing of fractal %d: set another --center or --zoom", fractal)
        yield paint.picture(layer, generator.embedding.features.background[fractal].detach())


def _frames(
    options: Namespace, generator: FractalGenerator, fractals: list[int], paint: Paint
) -> Iterator[Image.Image]:
    fps = options.fps or FPS
    seconds = options.seconds or SECONDS[options.animate] * len(fractals)
    require_at_most(MAX_FRAMES / fps, seconds=seconds)
    number = max(1, round(seconds * fps))
    size = options.size or ANIMATION_SIZE
    if number * size**2 > MAX_FRAME_PIXELS:
        raise InputError(
            f"{number} frames of {size} x {size} pixels do not fit into memory: set a smaller --size"
        )
    detail = Detail(size, options.points_per_pixel, options.seed)
    view = generator.view(fractals[0], options.zoom or ZOOMS[options.animate], _center(options))
    if options.animate == "zoom":
        return _tracked(zoom_frames(generator, fractals[0], view, number, detail, paint), number)
    return _tracked(morph_frames(generator, fractals, view, number, detail, paint), number)


def _center(options: Namespace) -> tuple[float, float] | None:
    return None if options.center is None else tuple(options.center)


def _tracked(drawn: Iterable[T], total: int) -> Iterator[T]:
    """The same, with a progress bar on a terminal."""
    console = Console(stderr=True)
    hidden = total == 1 or not console.is_terminal
    yield from track(drawn, "drawing", total, console=console, transient=True, disable=hidden)


def _next_steps(options: Namespace, fractals: list[int]) -> list[str]:
    source, first = quote(options.source), fractals[0]
    if options.animate is not None:
        return format_commands(picture=f"draw {source} --fractals {first} --zoom 1000 --size 2048")
    return format_commands(
        zoom=f"draw {source} --fractals {first} --zoom {1000 * (options.zoom or 1):g} --size 2048",
        animate=f"draw {source} --fractals {first} --animate zoom",
    )
