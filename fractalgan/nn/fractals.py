"""Learnable fractals: the paper's fractal embedding, and the generator that draws them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from fractalgan.errors import InputError, require_choice
from fractalgan.nn.fractal_file import FractalFile, read_fractals, write_fractals
from fractalgan.nn.matrices import (
    ClampedMatrices,
    RawMatrices,
    RotationScalingFlip,
    SigmoidMatrices,
    UnboundedMatrices,
)
from fractalgan.ops import (
    Transforms,
    determinant_probabilities,
    iterate_points,
    look_up_sequences,
    render,
    start_points,
    to_pixels,
    uniform_probabilities,
)
from fractalgan.randomness import Share

MatricesForm = Literal["sigmoid", "clamp", "unbounded", "raw"]

ProbabilityRule = Literal["determinant", "uniform"]

PROBABILITIES: dict[ProbabilityRule, Callable[[Tensor], Tensor]] = {
    "determinant": determinant_probabilities,
    "uniform": uniform_probabilities,
}

FORMS: dict[str, type[RotationScalingFlip]] = {
    "sigmoid": SigmoidMatrices,
    "clamp": ClampedMatrices,
    "unbounded": UnboundedMatrices,
}


class FractalEmbedding(nn.Module):
    """J fractals of N transforms each, learnable: the paper's FE layer (Eq. 7) for a whole batch.

    Args:
        transforms: the initial S: A [J, N, 2, 2] and b [J, N, 2].
        matrices: how A is learned: ``sigmoid`` or ``clamp`` for the rotation-scaling-flip form with
            sigma kept in range so, ``unbounded`` for that form with sigma left free, ``raw`` for the
            entries themselves.
        sigma_range: the least and the largest singular value: of ``unbounded`` at the start alone, and
            not used by ``raw``.
    """

    def __init__(
        self,
        transforms: Transforms,
        matrices: MatricesForm = "sigmoid",
        sigma_range: tuple[float, float] = (0.05, 0.9),
    ) -> None:
        super().__init__()
        self.form, self.sigma_range = matrices, sigma_range
        self.matrices: RawMatrices | RotationScalingFlip
        if matrices == "raw":
            self.matrices = RawMatrices(transforms.A)
        elif matrices in FORMS:
            self.matrices = FORMS[matrices](transforms.A, sigma_range)
        else:
            raise ValueError(f"matrices: want {', '.join(FORMS)} or raw, got {matrices!r}")
        self.b = nn.Parameter(transforms.b.clone())

    def __len__(self) -> int:
        return len(self.b)

    def forward(self) -> Transforms:
        """The maps of all fractals: A [J, N, 2, 2] and b [J, N, 2]."""
        with torch.autocast(self.b.device.type, enabled=False):  # as in render: maps need all digits
            return Transforms(self.matrices(), self.b)

    def constrain_(self) -> None:
        """Bring the parameters back into range; to be called after every optimiser step."""
        self.matrices.constrain_()

    @torch.no_grad()
    def perturb_(self, std: float, generator: torch.Generator | None = None) -> None:
        """Add Gaussian noise to every learned number: the paper's noisy SGD (N(0, 0.1) every 5 steps).

        In the sigmoid form that is the logit of sigma, where the paper's clamped form has sigma itself.
        """
        for parameter in self.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(std * noise.to(parameter.device))
        self.constrain_()


class FractalGenerator(nn.Module):
    """Draws the fractals of an embedding as images [B, 1, H, W] in [0, 1].

    Args:
        embedding: the fractals.
        image_size: H = W, in pixels.
        num_points: T, the points of an image.
        window: half the side of the square of the plane that is drawn.
        tau: width of a point's bump, in pixels squared (Eq. 8).
        jitter: standard deviation of the Gaussian noise that :meth:`draw` adds to A and b, anew for every
            image: so the images of one fractal vary, as much as suits pre-training (Nakamura et al.,
            ECCV 2024, perturb a single fractal into all their classes so).
        probabilities: of the maps in the chaos game: ``determinant``, in proportion to the area that a map
            keeps (Anderson & Farrell), or ``uniform``.
    """

    def __init__(
        self,
        embedding: FractalEmbedding,
        image_size: int = 32,
        num_points: int = 300,
        window: float = 2.5,
        tau: float = 1.0,
        jitter: float = 0.0,
        probabilities: ProbabilityRule = "determinant",
    ) -> None:
        super().__init__()
        require_choice(ProbabilityRule, probabilities=probabilities)
        self.embedding = embedding
        self.size = (image_size, image_size)
        self.num_points = num_points
        self.window = window
        self.tau = tau
        self.jitter = jitter
        self.probabilities = probabilities

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Self:
        """The fractals that ship under a name, or of a safetensors or JSON file, or a FractalGAN checkpoint.

        Raises InputError where there are none.
        """
        parameters, settings, _ = read_fractals(source)
        try:
            A = torch.eye(2).expand(*parameters["b"].shape[:2], 2, 2)
            embedding = FractalEmbedding(
                Transforms(A, parameters["b"]),
                settings["matrices"],
                (settings["sigma_min"], settings["sigma_max"]),
            )
            embedding.load_state_dict(parameters)
            names = ("image_size", "num_points", "window", "tau", "jitter", "probabilities")
            return cls(embedding, **{name: settings[name] for name in names})
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise InputError(f"{source} does not hold the fractals that it says ({error})") from error

    def save(self, path: str | Path, provenance: dict[str, Any] | None = None) -> None:
        """Write a safetensors file for :meth:`from_pretrained`, with what is known of their origin."""
        low, high = self.embedding.sigma_range
        settings = {
            "matrices": self.embedding.form,
            "sigma_min": low,
            "sigma_max": high,
            "image_size": self.size[0],
            "num_points": self.num_points,
            "window": self.window,
            "tau": self.tau,
            "jitter": self.jitter,
            "probabilities": self.probabilities,
        }
        write_fractals(Path(path), FractalFile(self.embedding.state_dict(), settings, provenance or {}))

    def forward(self, fractals: Tensor, sequences: Tensor) -> Tensor:
        """Images [B, 1, H, W] of ``fractals`` [B] along the index ``sequences`` [B, T] (Eqs. 3 and 8)."""
        return self._render(self.embedding(), fractals, sequences)

    def draw(
        self,
        fractals: Tensor,
        generator: torch.Generator | None = None,
        share: Share = Share(),  # noqa: B008
    ) -> Tensor:
        """Images [B, 1, H, W] of ``fractals`` [B] along fresh index sequences, each jittered anew."""
        transforms = self.embedding()
        sequences = self._draw_sequences(transforms, fractals, generator, share)
        if self.jitter > 0:
            transforms = self._jittered(transforms, fractals, generator, share)
            fractals = torch.arange(len(fractals), device=fractals.device)
        return self._render(transforms, fractals, sequences)

    @torch.no_grad()
    def draw_sequences(self, fractals: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Fresh index sequences [B, T] for ``fractals`` [B] (Alg. 2).

        They are drawn on the CPU: the same generator gives the same sequences on every device.
        """
        return self._draw_sequences(self.embedding(), fractals, generator, Share())

    @torch.no_grad()
    def points(self, fractals: Tensor, sequences: Tensor) -> Tensor:
        """The points [B, T, 2] of the same images, in pixels, those outside the window too."""
        transforms = self.embedding()
        points = iterate_points(transforms, fractals, sequences, start_points(transforms, fractals))
        return to_pixels(points, self.size, self.window)

    def _render(self, transforms: Transforms, fractals: Tensor, sequences: Tensor) -> Tensor:
        images = render(transforms, fractals, sequences, size=self.size, window=self.window, tau=self.tau)
        return images.unsqueeze(1)

    def _jittered(
        self, transforms: Transforms, fractals: Tensor, generator: torch.Generator | None, share: Share
    ) -> Transforms:
        """A system for every image, A [B, N, 2, 2] and b [B, N, 2], around those of ``fractals`` [B].

        Their probabilities stay those of the fractals: the index sequences are drawn already.
        """

        def around(entries: Tensor) -> Tensor:
            centre = entries.index_select(0, fractals)  # whose gradient adds up in order on a CPU
            noise = share.draw(torch.randn, *centre.shape, generator=generator, dtype=centre.dtype)
            return centre + self.jitter * noise.to(centre.device)

        return Transforms(around(transforms.A), around(transforms.b))

    @torch.no_grad()
    def _draw_sequences(
        self, transforms: Transforms, fractals: Tensor, generator: torch.Generator | None, share: Share
    ) -> Tensor:
        probabilities = PROBABILITIES[self.probabilities](transforms.A).cpu()
        shape = len(fractals), self.num_points
        uniform = share.draw(torch.rand, *shape, generator=generator, dtype=probabilities.dtype)
        return look_up_sequences(probabilities, fractals.cpu(), uniform).to(fractals.device)
