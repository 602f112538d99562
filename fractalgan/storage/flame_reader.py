"""Reading .flame files of other programs; :mod:`fractalgan.storage.flame` describes the format."""

import logging
import math
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import torch
from torch import Tensor

from fractalgan.errors import InputError, as_input_error
from fractalgan.limits import MAX_IMPORTED_TRANSFORMS
from fractalgan.ops import Transforms, check_view, offsets_about, rotation
from fractalgan.storage.flame_colors import FlameColors, flame_colors, same_kind
from fractalgan.storage.fractal_content import MATRICES, RAW_SETTINGS, FractalFile
from fractalgan.storage.imported_fractals import (
    ImportedFractal,
    listed,
    nearest_rule,
    printable,
    stacked,
    with_equal_numbers,
)
from fractalgan.storage.number_text import to_number, to_numbers
from fractalgan.storage.safe_xml import read_xml

log = logging.getLogger(__name__)

IDENTITY = "1 0 0 1 0 0"  # the coefficients of the identity

# Attributes of a transform that are neither a variation nor the parameter of one.
PLAIN = {
    "weight", "color", "symmetry", "color_speed", "animate", "coefs", "post", "opacity", "chaos", "plotmode",
    "name", "var", "var1", "linear", "linear3D", "var_color",
}  # fmt: skip
CAMERA_IN_3D = ("cam_pitch", "cam_yaw", "cam_roll", "cam_perspective", "cam_dof")

# What cannot be expressed, and the fractals that have it.
Losses = defaultdict[str, list[str]]


class _Flame(NamedTuple):
    """A flame whose camera looks at the origin, upright."""

    name: str
    transforms: Transforms  # A [1, N, 2, 2], b [1, N, 2], float64
    weights: Tensor  # [N]
    window: float
    colors: FlameColors


def read_flame(path: Path) -> FractalFile:
    """Read the linear maps, the camera, and the colors of all flames in a file.

    What ours do not have is left out, with a warning: variations other than linear, final transforms,
    opacity, xaos (weights that depend on the transform before), symmetries, cameras in 3D. A post transform
    is composed with its transform. The window is that of the first flame; the others are scaled to it. Their
    probabilities follow from a rule, see :func:`fractalgan.storage.imported_fractals.nearest_rule`.

    Returns:
        The fractals, settings, and provenance.

    Raises:
        InputError: for a file that is not a .flame file, is hostile, or has numbers that cannot be read.
    """
    root = read_xml(path)
    elements = list(root.iter("flame"))
    if not elements:
        raise InputError(f"{path} has no <flame>: it is not a .flame file")
    if sum(1 for _ in root.iter("xform")) > MAX_IMPORTED_TRANSFORMS:
        raise InputError(f"{path} has more than {MAX_IMPORTED_TRANSFORMS} transforms: split the file")
    losses: Losses = defaultdict(list)
    flames = []
    for number, element in enumerate(elements):
        name = printable(element.get("name", "")) or f"flame {number}"
        with as_input_error(f"{path}: {name}"):
            flames.append(_flame(element, name, losses))
    for loss, names in losses.items():
        log.warning("%s: %s, of %s", path, loss, listed(names))
    with as_input_error(str(path)):
        return _content(path, flames)


def _content(path: Path, flames: list[_Flame]) -> FractalFile:
    window = flames[0].window
    features = same_kind([each.colors for each in flames])
    imported = with_equal_numbers(
        [
            ImportedFractal(each.name, each.transforms, each.weights, of_it).in_window(each.window, window)
            for each, of_it in zip(flames, features, strict=True)
        ]
    )
    (A, b), found = stacked(imported)
    parameters = {MATRICES: A, "b": b}
    if found.num_features:
        parameters |= {f"features.{name}": each for name, each in found._asdict().items()}
    settings = RAW_SETTINGS | {"window": window, "probabilities": nearest_rule(path, A, imported)}
    provenance = {"file": path.name, "names": [each.name for each in flames]}
    return FractalFile(parameters, settings, provenance)


def _flame(element: Element, name: str, losses: Losses) -> _Flame:
    xforms = element.findall("xform")
    if not xforms:
        raise ValueError("it has no <xform>")
    for final in element.findall("finalxform"):
        if not _is_identity(final):
            losses["the final transform is left out"].append(name)
    if any(int(to_number(each.get("kind", "1"))) not in (0, 1) for each in element.findall("symmetry")):
        losses["the symmetry is left out"].append(name)
    if any(to_number(element.get(key, "0")) for key in CAMERA_IN_3D):
        losses["the camera is read as flat"].append(name)
    maps = [_map(each, name, losses) for each in xforms]
    A, b = (torch.stack(part).unsqueeze(0) for part in zip(*maps, strict=True))
    return _Flame(
        name,
        _before_camera(element, Transforms(A, b)),
        _weights(xforms),
        _window(element),
        flame_colors(element, xforms, name, losses),
    )


def _weights(xforms: list[Element]) -> Tensor:
    weights = torch.tensor([to_number(each.get("weight", "0")) for each in xforms], dtype=torch.float64)
    if (weights < 0).any() or not 0 < weights.sum() < math.inf:
        raise ValueError("weights must be >= 0, and not all 0")
    return weights


def _map(xform: Element, name: str, losses: Losses) -> tuple[Tensor, Tensor]:
    """A [2, 2] and b [2] of a transform, in our coordinates."""
    matrix, offset = _affine(xform.get("coefs", IDENTITY))
    weight, others = _linear_weight(xform)
    if weight is None:
        weight = 1.0
        losses[f"a transform of {listed(others) or 'no variation'} is read as linear"].append(name)
    elif others:
        losses[f"variations other than linear are left out: {listed(others)}"].append(name)
    if to_number(xform.get("opacity", "1")) != 1 or xform.get("plotmode") == "off":
        losses["the opacity of a transform is read as 1"].append(name)
    if any(each != 1 for each in to_numbers(xform.get("chaos", ""))):
        losses["xaos is left out"].append(name)
    post, moved = _affine(xform.get("post", IDENTITY))
    matrix, offset = post @ (weight * matrix), post @ (weight * offset) + moved
    return matrix.flip(0, 1), offset.flip(0)


def _affine(coefficients: str) -> tuple[Tensor, Tensor]:
    """The matrix and the offset of ``a d b e c f``, in flam3's coordinates."""
    a, d, b, e, c, f = to_numbers(coefficients, 6)
    return torch.tensor([[a, b], [d, e]], dtype=torch.float64), torch.tensor([c, f], dtype=torch.float64)


def _linear_weight(xform: Element) -> tuple[float | None, list[str]]:
    """The weight of linear, None where there is none, and the other variations with their parameters."""
    linear = sum(to_number(xform.get(key, "0")) for key in ("linear", "linear3D"))
    others = [key for key in xform.keys() if key not in PLAIN and _is_nonzero(xform.get(key, ""))]  # noqa: SIM118
    if "var1" in xform.attrib:  # the number of a variation, in files of flam3 1
        number = int(to_number(xform.attrib["var1"]))
        linear, others = (1.0, others) if number == 0 else (linear, [*others, f"variation {number}"])
    if "var" in xform.attrib:  # the weights of all
        weights = to_numbers(xform.attrib["var"])
        linear = weights[0] if weights else 0.0
        others += [f"variation {number}" for number, each in enumerate(weights) if number and each]
    return linear or None, others


def _is_nonzero(text: str) -> bool:
    try:
        return to_number(text) != 0
    except ValueError:
        return False  # a word


def _is_identity(xform: Element) -> bool:
    weight, others = _linear_weight(xform)
    affine = [to_numbers(xform.get(key, IDENTITY), 6) for key in ("coefs", "post")]
    return weight == 1 and not others and affine == [to_numbers(IDENTITY)] * 2


def _window(element: Element) -> float:
    """Half the side of the square around the picture; flam3's own picture has 100 pixels, 50 per unit."""
    size = max(to_numbers(element.get("size", "100 100"), 2))
    scale = to_number(element.get("scale", "50")) * 2 ** min(to_number(element.get("zoom", "0")), 100.0)
    if not (size > 1 and 0 < scale < math.inf):
        raise ValueError("size must be > 1 and scale > 0")
    window = float(f"{(size - 1) / (2 * scale):.12g}")
    check_view((1, 1), window)
    return window


def _before_camera(element: Element, transforms: Transforms) -> Transforms:
    """The transforms of the same fractal moved to where the camera looks at the origin, upright.

    With w = R (v - c), v' = A v + b becomes w' = R A R^T w + R (A c + b - c).
    """
    x, y = to_numbers(element.get("center", "0 0"), 2)
    degrees = to_number(element.get("rotate", "0"))
    if x == y == degrees == 0:
        return transforms
    center = torch.tensor([y, x], dtype=torch.float64)
    # counterclockwise in (x, y) is clockwise in (y, x)
    R = rotation(torch.tensor(-math.radians(degrees), dtype=torch.float64))
    offsets = offsets_about(transforms, center)
    return Transforms(R @ transforms.A @ R.T, (R @ offsets.unsqueeze(-1)).squeeze(-1))
