"""How transforms are drawn as images: the size, the points, and the order in which transforms follow."""

from functools import partial

import torch
from torch import Tensor, nn

from fractalgan.errors import as_input_error, require_choice
from fractalgan.limits import require_sizes
from fractalgan.nn.resolution import Resolution, chains_for
from fractalgan.ops import (
    PROBABILITIES,
    SEQUENCES,
    Fractals,
    ProbabilityRule,
    SequenceKind,
    check_view,
    render,
)
from fractalgan.randomness import RandomSource


class Renderer(nn.Module):
    """Draws fractals as images [B, 1, H, W], or [B, K, H, W] with features, in [0, 1]. It has no parameters.

    Args:
        image_size: H = W, in pixels. Setting the attribute later scales ``num_points`` and ``tau``.
        num_points: number of points per image (T); None scales with the image size: 300 at 32 x 32 pixels.
        window: half the side length of the square region of the plane that is rendered.
        tau: squared width of a point, in pixels^2 (Eq. 8); None scales with the image size: 1 up to 32 x 32
            pixels.
        probabilities: probabilities of the transforms in the chaos game: ``determinant``, in proportion to
            the area that a transform keeps (Anderson & Farrell), ``area``, the same with a lower bound, or
            ``uniform``.
        sequences: ``random`` index sequences, or ``even`` ones, which visit all parts of a fractal evenly.

    Raises:
        InputError: for a value out of range.
    """

    options: tuple[str, ...] = ("image_size", "num_points", "window", "tau", "probabilities", "sequences")

    def __init__(
        self,
        image_size: int = 32,
        num_points: int | None = None,
        window: float = 2.5,
        tau: float | None = None,
        probabilities: ProbabilityRule = "determinant",
        sequences: SequenceKind = "random",
    ) -> None:
        super().__init__()
        self._given: Resolution  # as it was set
        self.resolution: Resolution  # the same, at the current size
        require_choice(ProbabilityRule, probabilities=probabilities)
        require_choice(SequenceKind, sequences=sequences)
        require_sizes(image_size=image_size)
        self._use(Resolution.of(image_size, num_points, tau))
        with as_input_error():
            check_view(self.size, window, self.tau)
        self.window = window
        self.probabilities = probabilities
        self.sequences = sequences

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.options)

    # -- resolution -----------------------------------------------------------------------------

    @property
    def image_size(self) -> int:
        """H = W, in pixels; setting it scales ``num_points`` and ``tau``."""
        return self.resolution.image_size

    @image_size.setter
    def image_size(self, image_size: int) -> None:
        require_sizes(image_size=image_size)
        self.resolution = self._given.at(image_size)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.image_size, self.image_size

    @property
    def num_points(self) -> int:
        """T, points per image."""
        return self.resolution.num_points

    @num_points.setter
    def num_points(self, num_points: int) -> None:
        self._use(self.resolution._replace(num_points=num_points))

    @property
    def tau(self) -> float:
        """Squared width of a point, in pixels^2."""
        return self.resolution.tau

    @tau.setter
    def tau(self, tau: float) -> None:
        self._use(self.resolution._replace(tau=tau))

    def _use(self, resolution: Resolution) -> None:
        """Draw at this resolution, and scale from it: a size that is set and set back changes nothing."""
        require_sizes(num_points=resolution.num_points)
        self._given = self.resolution = resolution

    def render(
        self,
        fractals: Fractals,
        indices: Tensor,
        sequences: Tensor,
        resolution: Resolution | None = None,
        relative_tau: Tensor | None = None,
    ) -> Tensor:
        """Images of any ``fractals`` along the index ``sequences`` [B, T] (Eqs. 3 and 8).

        Args:
            fractals: J of them.
            indices: the fractal of each image, [B] in 0..J-1.
            sequences: index sequences [B, T].
            resolution: another one than the renderer's own.
            relative_tau: multiples [B] of tau for each image. Images with equal multiples are drawn together:
                the fewer there are, the faster.

        Returns:
            Images [B, K, H, W] in [0, 1], or [B, 1, H, W] without features.

        Raises:
            ValueError: for another number of multiples than of images, and as :func:`fractalgan.ops.render`.
        """
        image_size, _, tau = resolution or self.resolution
        size = (image_size, image_size)
        if (chains := chains_for(sequences.shape[-1])) > 1:
            sequences = sequences.view(len(sequences), chains, -1)
        transforms, features = fractals
        draw = partial(render, transforms, size=size, window=self.window, features=features)
        if relative_tau is None or not len(indices):
            return _with_channels(draw(indices, sequences, tau=tau))
        if relative_tau.shape != indices.shape:
            raise ValueError(f"relative_tau must have the shape [B], got {list(relative_tau.shape)}")
        multiples, order = relative_tau.cpu().sort(stable=True)
        multiples, counts = torch.unique_consecutive(multiples, return_counts=True)
        groups = torch.split(order.to(indices.device), counts.tolist())
        images = [
            _with_channels(draw(indices[rows], sequences[rows], tau=tau * multiple))
            for rows, multiple in zip(groups, multiples.tolist(), strict=True)
        ]
        return torch.cat(images).index_select(0, order.argsort().to(indices.device))

    @torch.no_grad()
    def sequences_for(
        self, A: Tensor, fractals: Tensor, source: RandomSource, num_points: int | None = None
    ) -> Tensor:
        """Fresh index sequences [B, T] for ``fractals`` [B] with matrices A [J, N, 2, 2] (Alg. 2).

        They are drawn on the CPU: the same source yields the same sequences on every device.
        """
        probabilities = self.transform_probabilities(A).cpu()
        number = self.num_points if num_points is None else num_points
        uniform = source.rand(len(fractals), number, dtype=probabilities.dtype)
        return self.to_sequences(probabilities, fractals.cpu(), uniform).to(fractals.device)

    def transform_probabilities(self, A: Tensor) -> Tensor:
        """The probabilities [..., N] of transforms with matrices A [..., N, 2, 2] in the chaos game."""
        return PROBABILITIES[self.probabilities](A)

    def to_sequences(self, probabilities: Tensor, fractals: Tensor, uniform: Tensor) -> Tensor:
        """Index sequences [B, T] from probabilities [J, N], fractals [B] and uniform numbers [B, T]."""
        return SEQUENCES[self.sequences](probabilities, fractals, uniform)


def _with_channels(images: Tensor) -> Tensor:
    """Images [B, H, W] as [B, 1, H, W]; those of features have their channels."""
    return images.unsqueeze(1) if images.ndim == 3 else images
