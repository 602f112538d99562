"""Index sequences: which transform each step of the chaos game applies (Algorithm 2)."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from fractalgan.ops import _fused

SequenceKind = Literal["random", "even"]


def draw_sequences(
    probabilities: Tensor,  # [J, N]
    fractals: Tensor,  # [B]
    num_points: int,
    generator: torch.Generator | None = None,
    kind: SequenceKind = "random",
) -> Tensor:  # [B, T]
    """Sample the index sequences z of B images before they are drawn (Algorithm 2).

    Args:
        probabilities: sampling probabilities ``[J, N]`` of the transforms of J fractals, for example from
            :func:`determinant_probabilities`. Rows need not sum to 1.
        fractals: the fractal of each image, integers ``[B]`` in 0..J-1.
        num_points: the length T of each sequence.
        generator: the random number generator to use, on the device of ``probabilities``. Default:
            PyTorch's global one.
        kind: ``"random"`` for :func:`sequences_from_uniform`, where each z(t) is an independent sample from
            the probabilities; ``"even"`` for :func:`even_sequences_from_uniform`.

    Returns:
        Index sequences, int64 ``[B, T]`` in 0..N-1.

    Example::

        >>> transforms = anderson_farrell(num_fractals=2, num_transforms=10)
        >>> fractals = torch.tensor([0, 0, 1])
        >>> sequences = draw_sequences(determinant_probabilities(transforms.A), fractals, num_points=300)
        >>> sequences.shape
        torch.Size([3, 300])
    """
    uniform = torch.rand(
        len(fractals), num_points, generator=generator, device=probabilities.device, dtype=probabilities.dtype
    )
    return SEQUENCES[kind](probabilities, fractals, uniform)


def sequences_from_uniform(
    probabilities: Tensor,  # [J, N]
    fractals: Tensor,  # [B]
    uniform: Tensor,  # [B, T]
) -> Tensor:  # [B, T]
    """Convert uniform random numbers to index sequences by inverse transform sampling.

    The result does not depend on whether a fused backend is available.

    Args:
        probabilities: sampling probabilities ``[J, N]`` of the transforms of J fractals. Rows need not sum
            to 1.
        fractals: the fractal of each image, integers ``[B]`` in 0..J-1.
        uniform: numbers ``[B, T]`` in [0, 1), in the type and on the device of ``probabilities``.

    Returns:
        Index sequences, int64 ``[B, T]`` in 0..N-1.
    """
    cumulative = probabilities.cumsum(-1)[fractals.long()]
    # p sums to 1 only up to rounding, so scale by the last entry instead of relying on it
    uniform = cumulative[:, -1:] * uniform
    inner = cumulative[:, :-1].contiguous()
    if cumulative.dtype == torch.float32 and _fused.best_backend(cumulative.device.type) == "numba":
        indices: Tensor = _fused.searchsorted_rows(inner, uniform)
        return indices
    return torch.searchsorted(inner, uniform, right=True)


def even_sequences_from_uniform(
    probabilities: Tensor,  # [J, N]
    fractals: Tensor,  # [B]
    uniform: Tensor,  # [B, T]
) -> Tensor:  # [B, T]
    """Convert uniform random numbers to index sequences in which all words occur as often as they should.

    Where random sequences visit the parts of a fractal unevenly by chance, these visit them evenly, at all
    scales at once, so that images vary less for the same number of points. With N equally likely transforms
    and T a multiple of N^L, every word of L transforms occurs exactly T / N^L times, for T = 300 and N = 10
    every ordered pair three times; a sequence is read as a circle for that, and begins after the first
    transform, whose fixed point is v(0). For any other T or probabilities, counts of single transforms are
    exact within 1, those of pairs nearly so.

    A sequence is a random Eulerian circuit of the generalized de Bruijn graph of Imase & Itoh (IEEE Trans.
    Computers, 1981), whose T edges stand for equal parts of the fractal's address space: edge s leads to the
    N edges N s, ..., N s + N - 1 (mod T). Unequal probabilities give the transforms unequal shares of the
    edges. It is computed on the CPU, in about the time of random sequences.

    Args:
        probabilities: sampling probabilities ``[J, N]`` of the transforms of J fractals. Rows need not sum
            to 1.
        fractals: the fractal of each image, integers ``[B]`` in 0..J-1.
        uniform: numbers ``[B, T]`` in [0, 1).

    Returns:
        Index sequences, int64 ``[B, T]`` in 0..N-1, on the device of ``probabilities``.
    """
    per_image = probabilities[fractals.long()]
    indices: Tensor = _fused.even_rows(per_image.cpu().double(), uniform.cpu().double())
    return indices.to(probabilities.device)


SEQUENCES: dict[SequenceKind, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "random": sequences_from_uniform,
    "even": even_sequences_from_uniform,
}
