"""What the files for other programs have in common: plain numbers, and a warning of what they cannot hold."""

import logging
from collections.abc import Sequence
from pathlib import Path

from fractalgan.errors import InputError
from fractalgan.ops import Fractals
from fractalgan.storage.fractal_content import FractalFile
from fractalgan.storage.imported_fractals import listed, printable

log = logging.getLogger(__name__)


def drawable(content: FractalFile) -> Fractals:
    """The numbers of fractals, on the CPU, float32.

    Raises:
        InputError: for numbers that are not finite, which other programs cannot read.
    """
    fractals = content.fractals().map(lambda each: each.detach().cpu().float())
    for row, name in enumerate(printable_names(content)):
        if not all(each[row].isfinite().all() for each in fractals.transforms):
            raise InputError(f"{name} has numbers that are not finite: leave it out")
    return fractals


def printable_names(content: FractalFile) -> list[str]:
    """The names of fractals as they are read back: no format has a place for every character."""
    return [printable(name) or f"fractal {row}" for row, name in enumerate(content.names())]


def warn_of_losses(
    path: Path, content: FractalFile, *, colors: bool = True, blended_along_palette: Sequence[str] = ()
) -> None:
    """Log what a file for another program leaves out.

    Args:
        path: the file.
        content: what is written.
        colors: whether the format has colors.
        blended_along_palette: the fractals whose blended colors are others there.
    """
    lost = []
    if content.settings["jitter"] > 0:
        lost.append(f"jitter ({content.settings['jitter']:g})")
    if "relative_tau" in content.parameters:
        lost.append("the width of each fractal's points (relative_tau)")
    if "labels" in content.parameters:
        lost.append("labels")
    if not colors and "features.values" in content.parameters:
        lost.append("gray levels and colors, their blend, and the background")
    if any(printable(name) != name for name in content.names()):
        lost.append("some characters of the names")
    if lost:
        log.warning("%s: the format has no place for %s", path, "; ".join(lost))
    if blended_along_palette:
        log.warning(
            "%s: blended colors of %s follow the palette there, and pass through others than here",
            path,
            listed(blended_along_palette),
        )
