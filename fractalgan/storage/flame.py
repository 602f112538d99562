"""Fractals as .flame files: the XML of flam3, Apophysis, JWildfire and pyr3.

The format is documented at https://github.com/scottdraves/flam3/wiki/XML-File-Format. A transform is
``<xform coefs="a d b e c f" linear="1">`` with x' = a x + b y + c and y' = d x + e y + f. In flam3's images x
runs to the right and y downwards, so that x is our second coordinate and y our first: a viewer shows the same
picture, upright. The camera has ``scale`` pixels per unit around ``center``; our window reaches from the
center of the first pixel to that of the last.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import torch
from torch import Tensor

from fractalgan import __version__
from fractalgan.errors import InputError
from fractalgan.limits import MAX_FLAME_BYTES
from fractalgan.ops import PROBABILITIES, Fractals
from fractalgan.storage.exported_fractals import drawable, printable_names, warn_of_losses
from fractalgan.storage.flame_palette import color_palette, gray_palette, is_line_between
from fractalgan.storage.fractal_content import FractalFile
from fractalgan.storage.imported_fractals import printable
from fractalgan.storage.number_text import to_text

IMAGE_SIZE = 1024  # pixels, of the picture that a viewer draws
COLORS_PER_LINE = 8

# What flam3 draws with; its defaults, but for a quality that shows the picture.
QUALITY = {
    "supersample": "1",
    "filter": "0.5",
    "quality": "100",
    "brightness": "4",
    "gamma": "4",
    "vibrancy": "1",
}


def flame_text(path: Path, content: FractalFile) -> bytes:
    """The XML of fractals, for a file.

    Weights are the probabilities of the transforms. Gray levels and colors become color coordinates, see
    :mod:`fractalgan.storage.flame_palette`; a blend is 1 minus ``color_speed``.

    Raises:
        InputError: for numbers that are not finite, and for more fractals than are read back.
    """
    fractals = drawable(content)
    probabilities = PROBABILITIES[content.settings["probabilities"]](fractals.transforms.A)
    root = Element("flames", name=printable(path.stem))
    along_palette = []
    for row, name in enumerate(printable_names(content)):
        flame = SubElement(root, "flame", _camera(name, content.settings["window"]))
        palette, coordinates = _palette(fractals, row)
        number = fractals.features.num_features
        background = fractals.features.background[row].expand(3) if number else [0.0] * 3
        flame.set("background", " ".join(to_text(float(each)) for each in background))
        blend = fractals.features.blend[row]
        if blend.any() and not is_line_between(palette, coordinates):
            along_palette.append(name)
        for A, b, weight, color, share in zip(
            fractals.transforms.A[row],
            fractals.transforms.b[row],
            probabilities[row].tolist(),
            coordinates.tolist(),
            blend.tolist(),
            strict=True,
        ):
            SubElement(flame, "xform", _xform(A, b, weight, color, share))
        SubElement(flame, "palette", count=str(len(palette)), format="RGB").text = _hexadecimal(palette)
    warn_of_losses(path, content, blended_along_palette=along_palette)
    indent(root)
    text: bytes = tostring(root, "utf-8", xml_declaration=True) + b"\n"
    if len(text) > MAX_FLAME_BYTES:
        raise InputError(f"{path} would have more than {MAX_FLAME_BYTES} bytes: choose some of the fractals")
    return text


def _camera(name: str, window: float) -> dict[str, str]:
    return {
        "name": name,
        "version": f"fractalgan-{__version__}",
        "size": f"{IMAGE_SIZE} {IMAGE_SIZE}",
        "center": "0 0",
        "scale": repr((IMAGE_SIZE - 1) / (2 * window)),
        "zoom": "0",
        "rotate": "0",
        **QUALITY,
        "palette_mode": "linear",
    }


def _xform(A: Tensor, b: Tensor, weight: float, color: float, blend: float) -> dict[str, str]:
    ((e, d), (b_, a)), (f, c) = A.tolist(), b.tolist()
    return {
        "weight": to_text(weight),
        "color": to_text(color),
        "symmetry": f"{2 * blend - 1:.12g}",  # the same, for Apophysis and older versions of flam3
        "color_speed": f"{1 - blend:.12g}",
        "linear": "1",
        "coefs": " ".join(map(to_text, (a, d, b_, e, c, f))),
    }


def _palette(fractals: Fractals, row: int) -> tuple[Tensor, Tensor]:
    """The palette, bytes [256, 3], and the color coordinates [N] of a fractal; white without features."""
    values = fractals.features.values[row]
    if values.shape[-1] == 1:
        return gray_palette(values.squeeze(-1))
    return color_palette(values if values.shape[-1] else torch.ones(len(values), 3))


def _hexadecimal(palette: Tensor) -> str:
    colors = [bytes(color).hex().upper() for color in palette.tolist()]
    lines = ["".join(colors[k : k + COLORS_PER_LINE]) for k in range(0, len(colors), COLORS_PER_LINE)]
    return "\n" + "\n".join(lines) + "\n"
