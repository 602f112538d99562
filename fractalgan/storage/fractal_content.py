"""What a file of fractals contains, and the checks of what was read from one."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from fractalgan.errors import InputError, require_at_least
from fractalgan.limits import require_sizes
from fractalgan.ops import Features, Fractals, Transforms, check_view
from fractalgan.storage.labels import Labels, check_labels

# What a FractalGenerator is built from, beside the parameters of its embedding, and its type.
SETTINGS: dict[str, Any] = {
    "matrices": str,
    "sigma_min": (int, float),
    "sigma_max": (int, float),
    "image_size": int,
    "num_points": int,
    "window": (int, float),
    "tau": (int, float),
    "jitter": (int, float),
    "probabilities": str,
    "sequences": str,
    "classes": list,
}

# The settings of fractals of which only the entries of their matrices are known.
RAW_SETTINGS: dict[str, Any] = {
    "matrices": "raw",
    "sigma_min": 0.0,
    "sigma_max": 1.0,
    "image_size": 32,
    "num_points": 300,
    "window": 2.5,
    "tau": 1.0,
    "jitter": 0.0,
    "probabilities": "determinant",
    "sequences": "random",
    "classes": [],
}

MATRICES = "matrices.A"  # the entries of A among the parameters, in the form "raw"


class FractalFile(NamedTuple):
    """Learned fractals, how they are drawn, and where they come from."""

    parameters: dict[str, Tensor]  # the state of a FractalEmbedding
    settings: dict[str, Any]  # by the names in SETTINGS
    provenance: dict[str, Any]  # data, options, seed, scores, version, as far as known

    @property
    def num_fractals(self) -> int:
        """J."""
        return len(self.parameters["b"])

    def fractals(self) -> Fractals:
        """The numbers that draw them.

        Raises:
            ValueError: if the matrices have another form than "raw".
        """
        if MATRICES not in self.parameters:
            raise ValueError(f"matrices must be in the form raw, got {self.settings['matrices']}")
        transforms = Transforms(self.parameters[MATRICES], self.parameters["b"])
        features = self.features()
        return Fractals.plain(transforms) if features is None else Fractals(transforms, features)

    def features(self) -> Features | None:
        """The gray levels or colors; None if there are none.

        Raises:
            KeyError: if there is only a part of them.
        """
        if not any(name.startswith("features.") for name in self.parameters):
            return None
        return Features(**{name: self.parameters[f"features.{name}"] for name in Features._fields})

    def labels(self) -> Labels | None:
        """The classes of the fractals; None if they carry no labels."""
        values = self.parameters.get("labels")
        return None if values is None else Labels(values, tuple(self.settings["classes"]))

    def select(self, indices: Sequence[int]) -> Self:
        """The fractals with these indices, in their order, with what is known of their origin.

        Raises:
            InputError: if there is no such fractal, or none is selected.
        """
        if not indices:
            raise InputError("fractals must be one index or more, got none")
        require_indices(indices, self.num_fractals)
        rows = torch.tensor(indices)
        origin: dict[str, Any] = {"fractals": [self._numbers()[index] for index in indices]}
        if "names" in self.provenance:
            origin["names"] = [self.names()[index] for index in indices]
        parameters = {name: each[rows.to(each.device)] for name, each in self.parameters.items()}
        return self._replace(parameters=parameters, provenance=self.provenance | origin)

    def names(self) -> list[str]:
        """The name of each fractal, or its number in the file that it was first read from."""
        names = self._one_per_fractal("names", str)
        return [f"fractal {number}" for number in self._numbers()] if names is None else names

    def _numbers(self) -> list[int]:
        numbers = self._one_per_fractal("fractals", int)
        return list(range(self.num_fractals)) if numbers is None else numbers

    def _one_per_fractal(self, name: str, kind: type) -> list[Any] | None:
        """An entry of the provenance with one value per fractal; None for anything else."""
        found = self.provenance.get(name)
        if not isinstance(found, list) or len(found) != self.num_fractals:
            return None
        return found if all(type(each) is kind for each in found) else None


def require_indices(fractals: Sequence[int], number: int) -> None:
    """Raise InputError for the first index of a fractal that is not among so many fractals."""
    for index in fractals:
        if not 0 <= index < number:
            raise InputError(f"fractals must be in 0 to {number - 1}, got {index}")


def check_content(content: FractalFile) -> None:
    """Raise ValueError for settings that cannot be drawn with, and for parameters of other shapes."""
    settings = content.settings
    if missing := [name for name in SETTINGS if name not in settings]:
        raise ValueError(f"the setting {missing[0]} is missing")
    for name, kind in SETTINGS.items():
        if not isinstance(settings[name], kind) or isinstance(settings[name], bool):
            raise ValueError(f"the setting {name} is {settings[name]!r}")
    require_at_least(0, jitter=settings["jitter"], sigma_min=settings["sigma_min"])
    size = settings["image_size"]
    require_sizes(image_size=size, num_points=settings["num_points"])
    check_view((size, size), settings["window"], settings["tau"])
    if not all(isinstance(each, Tensor) for each in content.parameters.values()):
        raise ValueError("a parameter is not a tensor")
    b = content.parameters.get("b")
    if b is None or b.ndim != 3 or b.shape[2] != 2 or not b.is_floating_point() or not b.numel():
        raise ValueError("b must have the shape [num_fractals, num_transforms, 2]")
    relative_tau = content.parameters.get("relative_tau")
    if relative_tau is not None:
        if relative_tau.shape != b.shape[:1] or not relative_tau.is_floating_point():
            raise ValueError("relative_tau must have the shape [num_fractals]")
        taus = (settings["tau"] * relative_tau).tolist()
        check_view((size, size), settings["window"], *taus)
    _check_features(content.parameters, b)
    if (labels := content.labels()) is not None:
        check_labels(*labels, content.num_fractals)
    elif settings["classes"]:
        raise ValueError("classes are named, but no fractal has a label")


def _check_features(parameters: dict[str, Tensor], b: Tensor) -> None:
    """Raise ValueError for features of other shapes, of other images, or out of range."""
    found = {name: each for name, each in parameters.items() if name.startswith("features.")}
    if not found:
        return
    values = found.get("features.values")
    if values is None or values.ndim != 3 or values.shape[2] not in (1, 3):
        raise ValueError("features must have the shape [num_fractals, num_transforms, 1 or 3]")
    (count, transforms, _), number = b.shape, values.shape[2]
    shapes = {
        "values": (count, transforms, number),
        "blend": (count, transforms),
        "background": (count, number),
    }
    for name, shape in shapes.items():
        part = found.get(f"features.{name}")
        if part is None or part.shape != shape or not part.is_floating_point():
            raise ValueError(f"features.{name} must have the shape {list(shape)}")
        if not ((part >= 0) & (part <= 1)).all():
            raise ValueError(f"features.{name} must be in [0, 1]")
