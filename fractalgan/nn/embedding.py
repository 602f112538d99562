"""The paper's fractal embedding: a set of learnable fractals."""

from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor, nn

from fractalgan.errors import require_choice
from fractalgan.nn.features import FeatureName, FractalFeatures
from fractalgan.nn.matrices import (
    ClampedMatrices,
    RawMatrices,
    RotationScalingFlip,
    SigmoidMatrices,
    UnboundedMatrices,
)
from fractalgan.ops import Features, Fractals, Transforms
from fractalgan.storage.labels import Labels, check_labels

MatricesForm = Literal["sigmoid", "clamp", "unbounded", "raw"]

FORMS: dict[str, type[RotationScalingFlip]] = {
    "sigmoid": SigmoidMatrices,
    "clamp": ClampedMatrices,
    "unbounded": UnboundedMatrices,
}


class FractalEmbedding(nn.Module):
    """J learnable fractals of N transforms each: the paper's FE layer (Eq. 7) for a whole batch.

    Args:
        transforms: the initial fractal parameters, A [J, N, 2, 2] and b [J, N, 2].
        matrices: parametrization of A. ``sigmoid`` and ``clamp`` factorize it into rotations, scaling and
            flips, with singular values in ``sigma_range``; ``unbounded`` is the same without bounds;
            ``raw`` learns the entries of A.
        sigma_range: lower and upper bound of the singular values. ``unbounded`` uses it for the initial
            values only, ``raw`` not at all.
        relative_tau: squared width of the points of each fractal as a multiple of the renderer's ``tau``,
            [J], a buffer that is not learned; None stands for 1, and adds nothing to the state.
        features: the initial gray levels (K = 1) or colors (K = 3) of the transforms, values [J, N, K], blend
            [J, N], and background [J, K], in [0, 1]. None stands for white on black, K = 0, and adds nothing
            to the state.
        learned_features: which of them are learned.
        labels: the class of each fractal, [J], a buffer, and the names of the classes. None stands for
            fractals without labels, and adds nothing to the state.

    Raises:
        InputError: for an unknown form.
        ValueError: for another number of multiples or labels than of fractals, and for labels out of range.
    """

    relative_tau: Tensor | None
    labels: Tensor | None
    classes: tuple[str, ...]  # empty without labels

    def __init__(
        self,
        transforms: Transforms,
        matrices: MatricesForm = "sigmoid",
        sigma_range: tuple[float, float] = (0.05, 0.9),
        relative_tau: Tensor | None = None,
        features: Features | None = None,
        learned_features: Collection[FeatureName] = ("values", "background"),
        labels: Labels | None = None,
    ) -> None:
        super().__init__()
        require_choice(MatricesForm, matrices=matrices)
        self.form, self.sigma_range = matrices, sigma_range
        self.matrices: RawMatrices | RotationScalingFlip
        if matrices == "raw":
            self.matrices = RawMatrices(transforms.A)
        else:
            self.matrices = FORMS[matrices](transforms.A, sigma_range)
        self.b = nn.Parameter(transforms.b.clone())
        if relative_tau is not None and relative_tau.shape != self.b.shape[:1]:
            raise ValueError(f"relative_tau must have the shape [J], got {list(relative_tau.shape)}")
        self.register_buffer("relative_tau", relative_tau)
        given = Features.none(transforms.b) if features is None else features
        self.features = FractalFeatures(given, learned_features)
        self.register_buffer("labels", None)
        self.label_(labels)

    def __len__(self) -> int:
        return self.num_fractals

    @property
    def num_fractals(self) -> int:
        """J."""
        return self.b.shape[0]

    @property
    def num_transforms(self) -> int:
        """N."""
        return self.b.shape[1]

    def extra_repr(self) -> str:
        parts = [
            f"num_fractals={self.num_fractals}",
            f"num_transforms={self.num_transforms}",
            f"matrices={self.form!r}",
        ]
        if self.relative_tau is not None:
            parts.append(f"relative_tau={self.relative_tau.min():.3g} to {self.relative_tau.max():.3g}")
        if self.labels is not None:
            parts.append(f"num_classes={len(self.classes)}")
        if self.form != "raw":
            parts.append(f"sigma_range={self.sigma_range}")
        return ", ".join(parts)

    def forward(self) -> Transforms:
        """The transforms of all fractals: A [J, N, 2, 2] and b [J, N, 2]."""
        with torch.autocast(self.b.device.type, enabled=False):  # as in render: half precision is too coarse
            return Transforms(self.matrices(), self.b)

    def fractals(self) -> Fractals:
        """The transforms of all fractals, and their features."""
        return Fractals(self(), self.features())

    def label_(self, labels: Labels | None) -> None:
        """Give each fractal a class, or take the labels away.

        Raises:
            ValueError: for another number of labels than of fractals, and for labels out of range.
        """
        if labels is not None:
            check_labels(*labels, self.num_fractals)
        self.labels = None if labels is None else labels.values.to(self.b.device, torch.long)
        self.classes = () if labels is None else tuple(labels.classes)

    def constrain_(self) -> None:
        """Bring the parameters back into range; to be called after every optimizer step."""
        self.matrices.constrain_()
        self.features.constrain_()

    @torch.no_grad()
    def perturb_(self, std: float, generator: torch.Generator | None = None) -> None:
        """Add Gaussian noise to the transforms: the paper's noisy SGD (N(0, 0.1) every 5 steps).

        In the sigmoid form the noise is added to the logit of sigma, in the paper's clamped form to sigma.
        """
        of_features = set(self.features.parameters())
        for parameter in (each for each in self.parameters() if each not in of_features):
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(std * noise.to(parameter.device))
        self.constrain_()
