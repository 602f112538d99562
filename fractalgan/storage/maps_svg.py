"""A drawing of the maps: the window, and the parallelogram that each transform makes of it, as SVG."""

import colorsys
import math
from html import escape
from pathlib import Path

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.limits import MAX_SVG_TRANSFORMS
from fractalgan.ops import Fractals
from fractalgan.storage.exported_fractals import drawable, printable_names
from fractalgan.storage.fractal_content import FractalFile

CELL = 200  # units per fractal, of which the window takes half: maps may reach beyond it
COLUMNS = 10
BLACK, WHITE = "#000000", "#FFFFFF"


def maps_svg(path: Path, content: FractalFile) -> bytes:
    """The SVG of all fractals, in rows of ten.

    The first coordinate runs down and the second to the right, as in our images. Each parallelogram is the
    image of the window, and the line along it that of the upper half of the window's left edge, which shows
    rotations and flips. Transforms with a gray level or a color have it, on the fractal's background.

    Raises:
        InputError: for numbers that are not finite, and for too many transforms.
    """
    fractals = drawable(content)
    count, transforms = fractals.transforms.b.shape[:2]
    if count * transforms > MAX_SVG_TRANSFORMS:
        raise InputError(
            f"{path} would have more than {MAX_SVG_TRANSFORMS} transforms: choose some of the fractals"
        )
    columns = min(count, COLUMNS)
    width, height = CELL * columns, CELL * math.ceil(count / columns)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}">',
    ]
    scale = CELL / 4 / content.settings["window"]
    for row, name in enumerate(printable_names(content)):
        x, y = CELL * (row % columns), CELL * (row // columns)
        lines += _cell(fractals, row, name, x, y, scale)
    return ("\n".join([*lines, "</svg>"]) + "\n").encode()


def _cell(fractals: Fractals, row: int, name: str, x: int, y: int, scale: float) -> list[str]:
    """One fractal, in a nested drawing that cuts off what lies outside."""
    window, middle = CELL / 4 / scale, CELL / 2
    corners = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [0.0, -1.0]]) * window
    (A, b), features = (each[row] for each in fractals.transforms), fractals.features
    background, ink = _background(features.background[row])
    lines = [
        f'<svg x="{x}" y="{y}" width="{CELL}" height="{CELL}">',
        f"<title>{escape(name)}</title>",
        f'<rect width="{CELL}" height="{CELL}" fill="{background}"/>',
        f'<rect x="{middle / 2:g}" y="{middle / 2:g}" width="{middle:g}" height="{middle:g}" fill="none"'
        f' stroke="{ink}" stroke-dasharray="4"/>',
    ]
    for n, (matrix, offset) in enumerate(zip(A, b, strict=True)):
        color = _color(features.values[row, n], n / len(b))
        places = (corners @ matrix.T + offset) * scale + middle
        points = [f"{column:.6g},{line:.6g}" for line, column in places.tolist()]
        lines.append(
            f'<polygon points="{" ".join(points[:4])}" fill="{color}" fill-opacity="0.3" stroke="{color}"/>'
        )
        lines.append(
            f'<polyline points="{points[0]} {points[4]}" fill="none" stroke="{ink}" stroke-width="2"/>'
        )
    return [*lines, "</svg>"]


def _background(values: Tensor) -> tuple[str, str]:
    """The background, and black or white to draw on it; white if fractals have no features."""
    if not len(values):
        return WHITE, BLACK
    return _hexadecimal(values), BLACK if values.mean() > 0.5 else WHITE


def _color(values: Tensor, hue: float) -> str:
    """The color of a transform, or one for its place among the others."""
    return _hexadecimal(values if len(values) else torch.tensor(colorsys.hls_to_rgb(hue, 0.4, 0.8)))


def _hexadecimal(values: Tensor) -> str:
    return "#" + bytes((values.expand(3) * 255).round().byte().tolist()).hex().upper()
