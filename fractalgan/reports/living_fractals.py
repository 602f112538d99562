"""The fractals of a run as a page needs them: their numbers, and a small picture of each."""

from typing import Any

import matplotlib
import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.nn import FractalGenerator
from fractalgan.reports.page_pictures import embedded
from fractalgan.reports.page_sections import Content
from fractalgan.reports.painting import COLORMAPS, Paint
from fractalgan.storage import RunFolder

MAX_FRACTALS = 200  # of one page
MAX_TRANSFORMS = 20_000  # of all of them: 2 MB, or 2.5 MB with colors
THUMBNAIL = 96  # pixels
DIGITS = 9  # which float32 numbers need


def living_fractals(run: RunFolder) -> tuple[Content, dict[str, Any]] | None:
    """A gallery of a run's fractals, and their numbers for the viewer; None for a run without fractals."""
    try:
        generator = FractalGenerator.from_pretrained(run.path.resolve())
    except InputError:
        return None
    total, transforms = len(generator.embedding), generator.embedding.num_transforms
    shown = range(min(total, MAX_FRACTALS, max(1, MAX_TRANSFORMS // transforms)))
    numbers = [_numbers(generator, index) for index in shown]
    text = f"{total} fractals."
    if len(shown) < total:
        size = f"of {transforms} transforms each"
        text = f"The first {len(shown)} of {total} fractals, {size}: a page has no more."
    pictures = [{"index": index, "picture": _thumbnail(generator, index)} for index in shown]
    gallery = Content("fractals.html.jinja", {"fractals": pictures, "text": text})
    return gallery, {"window": generator.window, "fractals": numbers}


def colormap() -> list[list[int]]:
    """The 256 colors [r, g, b] of fractals without features."""
    colors = matplotlib.colormaps[COLORMAPS[0]](range(256), bytes=True)
    return [[int(part) for part in color[:3]] for color in colors]


def _thumbnail(generator: FractalGenerator, index: int) -> str:
    layer = generator.picture(index, size=THUMBNAIL)
    background = generator.embedding.features.background[index].detach()
    return embedded(Paint().picture(layer, background))


def _numbers(generator: FractalGenerator, index: int) -> dict[str, Any]:
    ((A, b), (values, blend, background)), probabilities = generator.one(index)
    tensors = {
        "A": A.flatten(1),
        "b": b,
        "probabilities": probabilities,
        "values": values,
        "blend": blend,
        "background": background,
    }
    return {"index": index} | {name: _rounded(each) for name, each in tensors.items()}


def _rounded(tensor: Tensor) -> Any:
    """Nested lists of numbers with DIGITS digits; those that are not finite become 0, which JSON can hold."""
    finite = torch.nan_to_num(tensor.detach().cpu().double(), 0, 0, 0)
    return _map(finite.tolist())


def _map(entry: Any) -> Any:
    return [_map(each) for each in entry] if isinstance(entry, list) else float(f"{entry:.{DIGITS}g}")
