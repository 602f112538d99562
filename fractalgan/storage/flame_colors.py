"""Reading the colors of a flame: its palette, and what each transform takes from it."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

import torch
from torch import Tensor

from fractalgan.ops import Features
from fractalgan.storage.flame_palette import BYTE, SIZE, filled, is_line_between, looked_up
from fractalgan.storage.number_text import to_number, to_numbers

HEXADECIMAL = set("0123456789abcdefABCDEF")


class FlameColors(NamedTuple):
    """The colors of the transforms of a flame, float64 in [0, 1]."""

    number: int  # K that holds them: 0 for white on black, 1 for gray levels, 3 for colors
    values: Tensor  # [N, 3]
    blend: Tensor  # [N]
    background: Tensor  # [3]


def flame_colors(
    element: Element, xforms: Sequence[Element], name: str, losses: defaultdict[str, list[str]]
) -> FlameColors:
    """The colors of a flame; a palette of grays alone is read as gray levels, and white on black as none.

    Raises:
        ValueError: for a palette or numbers that cannot be read.
    """
    palette = _palette(element)
    if palette is None:
        palette = torch.full((SIZE, 3), float(BYTE), dtype=torch.float64)
        losses["a palette that is not in the file is read as white"].append(name)
    numbers = [to_numbers(each.get("color", "0")) for each in xforms]
    if not all(numbers):
        raise ValueError("the color of a transform must be a number")
    coordinates = torch.tensor([each[0] for each in numbers], dtype=torch.float64)
    blend = 1 - torch.tensor([_speed(each) for each in xforms], dtype=torch.float64)
    background = torch.tensor(to_numbers(element.get("background", "0 0 0"), 3), dtype=torch.float64)
    gray = bool((palette == palette[:, :1]).all() and (background == background[0]).all())
    white = gray and bool((palette == BYTE).all() and not background.any())
    if blend.any() and not is_line_between(palette, coordinates):
        losses["colors are blended directly, not along the palette"].append(name)
    linear = element.get("palette_mode", "step") == "linear"
    values = looked_up(palette, coordinates, linear) / BYTE
    return FlameColors(
        0 if white else 1 if gray else 3, values.clamp(0, 1), blend.clamp(0, 1), background.clamp(0, 1)
    )


def same_kind(flames: Sequence[FlameColors]) -> list[Features]:
    """The features of all flames, with the K that holds the colors of each."""
    number = max(each.number for each in flames)
    return [
        Features(
            each.values[:, :number].unsqueeze(0),
            (each.blend if number else torch.zeros_like(each.blend)).unsqueeze(0),
            each.background[:number].unsqueeze(0),
        )
        for each in flames
    ]


def _speed(xform: Element) -> float:
    if "color_speed" in xform.attrib:
        return to_number(xform.attrib["color_speed"])
    return (1 - to_number(xform.get("symmetry", "0"))) / 2


def _palette(element: Element) -> Tensor | None:
    """The palette [256, 3] in 0 to 255; None if the file has none, or the number of one of flam3's own."""
    block, old = element.find("palette"), element.find("colors")
    if block is not None and "index0" not in block.attrib and ((block.text or "").strip() or len(block)):
        if len(block):
            return _of_entries(block.findall("color"))
        return _of_digits(block.text or "", 8 if block.get("format") == "RGBA" else 6, 0)
    if old is not None:
        return _of_digits(old.get("data", ""), 8, 2)  # 00RRGGBB
    entries = element.findall("color")
    return _of_entries(entries) if entries else None


def _of_digits(text: str, width: int, skipped: int) -> Tensor:
    """A palette of hexadecimal digits, ``width`` per color, of which ``skipped`` come before red."""
    digits = "".join(text.split())
    if len(digits) != SIZE * width or not set(digits) <= HEXADECIMAL:
        raise ValueError(f"the palette must have {SIZE} colors of {width} hexadecimal digits")
    rows = torch.tensor(list(bytes.fromhex(digits)), dtype=torch.float64).view(SIZE, width // 2)
    return rows[:, skipped // 2 : skipped // 2 + 3]


def _of_entries(entries: Sequence[Element]) -> Tensor:
    """A palette of ``<color index="0" rgb="255 255 255"/>``, linear between the ones that are given."""
    colors = {}
    for each in entries:
        index, text = to_number(each.get("index", "")), each.get("rgb", "").strip()
        if not 0 <= index < SIZE or index != int(index):
            raise ValueError(f"the index of a color must be an integer in 0 to {SIZE - 1}")
        plain = len(text) == 6 and set(text) <= HEXADECIMAL
        colors[int(index)] = list(bytes.fromhex(text)) if plain else to_numbers(text, 3)
    if not colors:
        raise ValueError("the palette has no colors")
    indices = sorted(colors)
    found = torch.tensor([colors[index] for index in indices], dtype=torch.float64)
    return filled(indices, found.clamp(0, BYTE))
