"""The generator that draws learnable fractals as images."""

import operator
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from fractalgan.errors import InputError, require_at_least
from fractalgan.nn.embedding import FractalEmbedding
from fractalgan.nn.hub import HubMethods
from fractalgan.nn.picture_methods import PictureMethods
from fractalgan.nn.renderer import Renderer
from fractalgan.ops import (
    Fractals,
    ProbabilityRule,
    SequenceKind,
    Transforms,
    iterate_points,
    start_points,
    to_pixels,
)
from fractalgan.randomness import RandomSource
from fractalgan.storage.fractal_content import MATRICES, FractalFile
from fractalgan.storage.fractal_file import read_fractals, require_suffix, write_fractals

JITTER_WINDOW = 2.5  # in which the noise on b has the std of that on A

# The options of a FractalGenerator, by their names in files.
VIEW = ("image_size", "num_points", "window", "tau", "jitter", "probabilities", "sequences")


class FractalGenerator(HubMethods, PictureMethods, Renderer):
    """Draws the fractals of an embedding as images [B, 1, H, W], or [B, K, H, W] with features, in [0, 1].

    Args:
        embedding: the fractals.
        image_size: as for :class:`Renderer`.
        num_points: as for :class:`Renderer`.
        window: as for :class:`Renderer`.
        tau: as for :class:`Renderer`, times ``embedding.relative_tau`` for each fractal.
        jitter: std of the Gaussian noise that :meth:`draw` adds to A and b for each image, so that images
            of one fractal vary (Nakamura et al., ECCV 2024, make all their classes from one fractal so).
            For b it is relative to the window, and means the same number of pixels in each: 0.1 is 0.1 in
            a window of 2.5, 0.06 in one of 1.5. Gray levels and colors get noise of this
            std as well, within [0, 1]; their blend and the background do not.
        probabilities: as for :class:`Renderer`.
        sequences: as for :class:`Renderer`.

    Attributes:
        provenance: what is known of the fractals' origin, as plain values; :meth:`save` writes it.

    Raises:
        InputError: for a value out of range.
    """

    options = VIEW

    def __init__(
        self,
        embedding: FractalEmbedding,
        image_size: int = 32,
        num_points: int | None = None,
        window: float = 2.5,
        tau: float | None = None,
        jitter: float = 0.0,
        probabilities: ProbabilityRule = "determinant",
        sequences: SequenceKind = "random",
    ) -> None:
        super().__init__(image_size, num_points, window, tau, probabilities, sequences)
        require_at_least(0, jitter=jitter)
        self.embedding = embedding
        self.jitter = jitter
        self.provenance: dict[str, Any] = {}

    @classmethod
    def from_pretrained(cls, source: str | Path, **download: Any) -> Self:
        """The fractals that a source has.

        Args:
            source: a name of fractals that ship with the project, a file, a checkpoint, a run folder, a
                folder of :meth:`save_pretrained`, or a repository of the Hugging Face Hub, ``user/name``.
            download: for the Hub, as for ``huggingface_hub.hf_hub_download``: revision, token, and others.

        Raises:
            InputError: where there are none.
        """
        return cls.of_file(read_fractals(source, **download), source)

    @classmethod
    def of_file(cls, content: FractalFile, source: str | Path) -> Self:
        """The fractals that were read from a source.

        Raises:
            InputError: if the parameters do not match the settings.
        """
        parameters, settings, provenance = content
        try:
            A = torch.eye(2).expand(*parameters["b"].shape[:2], 2, 2)
            embedding = FractalEmbedding(
                Transforms(A, parameters["b"]),
                settings["matrices"],
                (settings["sigma_min"], settings["sigma_max"]),
                parameters.get("relative_tau"),
                content.features(),
                labels=content.labels(),
            )
            embedding.load_state_dict(parameters)
            generator = cls(embedding, **{name: settings[name] for name in VIEW})
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise InputError(f"the parameters in {source} do not match its settings ({error})") from error
        generator.provenance = provenance
        return generator

    @torch.no_grad()
    def to_file(self, provenance: dict[str, Any] | None = None, *, raw: bool = False) -> FractalFile:
        """The fractals, how they are drawn, and what is known of their origin, as plain values.

        Args:
            provenance: what is known of their origin; default: :attr:`provenance`.
            raw: whether the matrices are given by their entries, in place of what is learned of them.
        """
        low, high = self.embedding.sigma_range
        settings = {
            "matrices": "raw" if raw else self.embedding.form,
            "sigma_min": low,
            "sigma_max": high,
        } | {name: getattr(self, name) for name in VIEW}
        settings["classes"] = list(self.embedding.classes)
        parameters = dict(self.embedding.state_dict())
        if raw:
            others = {name: each for name, each in parameters.items() if not name.startswith("matrices.")}
            parameters = {MATRICES: self.embedding().A} | others
        known = self.provenance if provenance is None else provenance
        return FractalFile(parameters, settings, known)

    def save(
        self,
        path: str | Path,
        provenance: dict[str, Any] | None = None,
        *,
        fractals: Sequence[int] | None = None,
    ) -> None:
        """Write a file for :meth:`from_pretrained`, or for other programs.

        Args:
            path: its suffix is the format: ``.safetensors`` or ``.json``, which hold everything; ``.flame``
                for flam3, Apophysis, JWildfire and pyr3; ``.ifs`` for FRACTINT; ``.svg`` for a drawing of the
                maps. A warning says what a format cannot hold.
            provenance: what is known of the origin of the fractals; default: :attr:`provenance`.
            fractals: the indices of those to write; all by default.

        Raises:
            InputError: for another suffix, or an index out of range.
        """
        content = self.to_file(provenance, raw=require_suffix(Path(path)) != ".safetensors")
        write_fractals(Path(path), content if fractals is None else content.select(fractals))

    # -- drawing --------------------------------------------------------------------------------

    def forward(self, fractals: Tensor, sequences: Tensor) -> Tensor:
        """Images of ``fractals`` [B] along the index ``sequences`` [B, T] (Eqs. 3 and 8)."""
        relative_tau = self._relative_tau(fractals)
        return self.render(self.embedding.fractals(), fractals, sequences, relative_tau=relative_tau)

    @property
    def channels(self) -> int:
        """The channels of the images: K, or 1 without features."""
        return max(1, self.embedding.features.num_features)

    def draw(
        self,
        fractals: int | Iterable[int] | Tensor,
        generator: RandomSource | torch.Generator | None = None,
        *,
        size: int | None = None,
        zoom: float = 1.0,
        center: tuple[float, float] | None = None,
    ) -> Tensor:
        """Images of fractals along fresh index sequences, each image with its own jitter.

        These are images as fractals are learned from; :meth:`picture` is for people to look at.

        Args:
            fractals: the index of a fractal, or indices [B].
            generator: source of the random numbers, on the CPU; None is torch's global one.
            size: another H = W, in pixels, with points and tau scaled from the generator's own.
            zoom: magnification, as for :meth:`view`. All points of an image are drawn in what it shows.
            center: as for :meth:`view`.

        Returns:
            Images [B, 1, H, W], or [B, K, H, W] with features, in [0, 1].

        Raises:
            IndexError: for a fractal that does not exist.

        Example:
            >>> FractalGenerator.from_pretrained("digits").draw([0, 7], size=512).shape
            torch.Size([2, 1, 512, 512])
        """
        source, indices = RandomSource.of(generator), self._indices(fractals)
        resolution = self.resolution if size is None else self._given.at(_at_least_one(size))
        if zoom != 1 or center is not None:
            return self._draw_views(indices, zoom, center, resolution, source)
        drawn, relative_tau = self.embedding.fractals(), self._relative_tau(indices)
        sequences = self.sequences_for(drawn.transforms.A, indices, source, resolution.num_points)
        if self.jitter > 0:
            drawn = self._jittered(drawn, indices, source)
            indices = torch.arange(len(indices), device=indices.device)
        return self.render(drawn, indices, sequences, resolution, relative_tau)

    @torch.no_grad()
    def one(self, fractal: int) -> tuple[Fractals, Tensor]:
        """A fractal without the dimension J, and the probabilities [N] of its transforms.

        Raises:
            IndexError: for a fractal that does not exist.
        """
        drawn = self.embedding.fractals().select(self._indices(fractal)).one(0)
        return drawn, self.transform_probabilities(drawn.transforms.A)

    @torch.no_grad()
    def draw_sequences(
        self,
        fractals: int | Iterable[int] | Tensor,
        generator: RandomSource | torch.Generator | None = None,
    ) -> Tensor:
        """Fresh index sequences [B, T] for fractals (Alg. 2).

        They are drawn on the CPU: the same generator yields the same sequences on every device.
        """
        indices = self._indices(fractals)
        return self.sequences_for(self.embedding().A, indices, RandomSource.of(generator))

    @torch.no_grad()
    def points(self, fractals: Tensor, sequences: Tensor) -> Tensor:
        """The points [B, T, 2] of the same images, in pixels, those outside the window included."""
        transforms = self.embedding()
        points = iterate_points(transforms, fractals, sequences, start_points(transforms, fractals))
        return to_pixels(points, self.size, self.window)

    def _indices(self, fractals: int | Iterable[int] | Tensor) -> Tensor:
        """Indices [B] on the embedding's device. Raises IndexError for one out of range."""
        if not isinstance(fractals, Tensor):
            listed = fractals if isinstance(fractals, Iterable) else [fractals]
            fractals = torch.tensor([operator.index(each) for each in listed], dtype=torch.long)
        if fractals.ndim > 1 or fractals.is_floating_point() or fractals.dtype == torch.bool:
            raise ValueError(
                f"fractals must be integers [B], got {fractals.dtype} of shape {list(fractals.shape)}"
            )
        fractals = fractals.reshape(-1)
        number = len(self.embedding)
        wrong = fractals[(fractals < 0) | (fractals >= number)]
        if len(wrong):
            raise IndexError(f"fractal index {wrong[0].item()} is out of range for {number} fractals")
        return fractals.to(self.embedding.b.device, torch.long)

    def _relative_tau(self, fractals: Tensor) -> Tensor | None:
        """The multiples [B] of tau with which ``fractals`` [B] are drawn; None where all are 1."""
        of_all = self.embedding.relative_tau
        return None if of_all is None else of_all[fractals.long()]  # uint8 would be taken for a mask

    def _jittered(self, fractals: Fractals, indices: Tensor, source: RandomSource) -> Fractals:
        """A fractal for each image, B in all, around that of its index [B].

        Its probabilities stay those of the original: the index sequences are drawn already.
        """

        def around(center: Tensor, std: float) -> Tensor:
            noise = source.randn(*center.shape, dtype=center.dtype)
            return center + std * noise.to(center.device)

        (A, b), features = fractals.select(indices)
        std_of_b = self.jitter * (self.window / JITTER_WINDOW)
        transforms = Transforms(around(A, self.jitter), around(b, std_of_b))
        values = around(features.values, self.jitter).clamp(0, 1)
        return Fractals(transforms, features._replace(values=values))


def _at_least_one(size: int) -> int:
    require_at_least(1, size=size)
    return size
