"""Animations of fractals: a zoom, or a walk from one fractal to the next."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

from PIL import Image, features

from fractalgan.errors import InputError, require_extra
from fractalgan.nn import Detail, FractalGenerator, between, matched, picture_layer
from fractalgan.ops import View
from fractalgan.reports.painting import Paint
from fractalgan.storage import atomic_path

# The formats that hold animations, by suffix: those of Pillow, and MP4, which is made by PyAV.
PILLOW_FORMATS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
MP4 = ".mp4"
ANIMATIONS = (*PILLOW_FORMATS, MP4)


def zoom_views(last: View, window: float, frames: int) -> Iterator[View]:
    """Views from the whole window to the last one, each magnified by the same factor.

    The center of the last view moves to the middle of the picture at a constant speed.
    """
    for frame in range(frames):
        share = frame / max(1, frames - 1)
        zoom = (window / last.half) ** share
        moved = 1 - (1 - share) / zoom
        yield View((last.center[0] * moved, last.center[1] * moved), window / zoom)


def zoom_frames(
    generator: FractalGenerator,
    fractal: int,
    last: View,
    frames: int,
    detail: Detail,
    paint: Paint,
) -> Iterator[Image.Image]:
    """Pictures of a fractal along :func:`zoom_views`."""
    drawn, probabilities = generator.one(fractal)
    for view in zoom_views(last, generator.window, frames):
        layer = picture_layer(drawn, probabilities, view, detail)
        yield paint.picture(layer, drawn.features.background)


def morph_frames(
    generator: FractalGenerator,
    fractals: list[int],
    view: View,
    frames: int,
    detail: Detail,
    paint: Paint,
) -> Iterator[Image.Image]:
    """Pictures of fractals in turn, and of what is :func:`between` them, back to the first."""
    drawn = [generator.one(fractal)[0] for fractal in fractals]
    pairs = [(first, matched(first, second)) for first, second in pairwise([*drawn, drawn[0]])]
    for frame in range(frames):
        place, share = divmod(frame * len(drawn) / frames, 1)
        first, second = pairs[int(place)]
        smooth = share * share * (3 - 2 * share)
        mixed = between(first, second, smooth)
        probabilities = generator.transform_probabilities(mixed.transforms.A)
        layer = picture_layer(mixed, probabilities, view, detail)
        yield paint.picture(layer, mixed.features.background)


def check_animation(path: Path) -> None:
    """Raise InputError unless animations of this suffix can be written."""
    suffix = path.suffix.lower()
    if suffix not in ANIMATIONS:
        raise InputError(f"out must end in {', '.join(ANIMATIONS)} for an animation, got {path}")
    if suffix == ".webp" and not features.check("webp"):
        raise InputError("Pillow has no support for WebP here: set another --out, such as zoom.gif")
    if suffix == MP4:
        require_extra("video", f"{path}, unlike a .gif,")


def write_animation(path: Path, frames: Iterator[Image.Image], fps: int) -> None:
    """Write frames of equal size as an animation that repeats; see :func:`check_animation`."""
    with atomic_path(path) as temporary:
        if path.suffix.lower() == MP4:
            _write_mp4(temporary, frames, fps)
            return
        first = next(frames)
        options = {"save_all": True, "append_images": list(frames), "duration": round(1000 / fps), "loop": 0}
        first.save(temporary, format=PILLOW_FORMATS[path.suffix.lower()], **options)


def _write_mp4(path: Path, frames: Iterator[Image.Image], fps: int) -> None:
    import av  # an extra

    first = next(frames)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "18"})
        stream.width, stream.height = (
            length - length % 2 for length in first.size
        )  # of two pixels per color
        stream.pix_fmt = "yuv420p"
        for picture in chain([first], frames):
            frame = av.VideoFrame.from_image(picture.convert("RGB").crop((0, 0, stream.width, stream.height)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
