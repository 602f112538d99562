"""One fractal, perturbed: any number of fractals of nearly the same shape (1p-frac)."""

import torch

from fractalgan.ops.affine import Transforms
from fractalgan.ops.random_fractals import Procedure, filling_rates, random_fractals

CANDIDATES = 64  # random fractals, of which the first that is well filled is perturbed
WELL_FILLED = 0.2  # share of the cells of a canvas, as in FractalDB
FILLED = 0.05  # that a perturbed one has to exceed, as in the code of 1p-frac
ATTEMPT_SIZE = 1024  # perturbed fractals that are tested at a time
MIN_KEPT = 0.05  # share of them that has to be kept, or else another fractal is perturbed


def perturbed_fractals(
    procedure: Procedure,
    num_fractals: int,
    num_transforms: int,
    perturbation: float,
    generator: torch.Generator | None = None,
) -> Transforms:
    """Sample one fractal and perturb it, as 1p-frac does.

    The source is Nakamura et al., "Scaling Backwards: Minimal Synthetic Pre-training?", ECCV 2024. Every
    entry of A and b is multiplied by a number of its own from U(1 - perturbation, 1 + perturbation). The
    fractal is one of 64 random ones, the first that fills a fifth of its canvas. Perturbed ones that fill
    less than a twentieth are left out, and those with a transform that does not contract, whose points may
    scatter; a fractal that is left with few is passed over.

    Args:
        procedure: how the fractal is sampled, as for :func:`random_fractals`; in the source it is
            ``"anderson-farrell"`` with two transforms.
        num_fractals: the number J of perturbed fractals.
        num_transforms: the number N of transforms.
        perturbation: largest relative change of an entry; 0.1 in the source.
        generator: the random number generator to use. Default: PyTorch's global one.

    Returns:
        A ``[J, N, 2, 2]`` and b ``[J, N, 2]``, float32 on the CPU.

    Raises:
        ValueError: if there is no such fractal.

    Example::

        >>> perturbed_fractals("anderson-farrell", num_fractals=1000, num_transforms=2, perturbation=0.1)
        Transforms(num_fractals=1000, num_transforms=2, dtype=torch.float32, device='cpu')
    """
    drawn = random_fractals(procedure, CANDIDATES, num_transforms, generator)
    rates = filling_rates(drawn, generator)
    for chosen in (rates <= WELL_FILLED).int().argsort(stable=True).tolist():  # the well filled ones first
        one = Transforms(drawn.A[chosen], drawn.b[chosen])
        kept = [_perturbed(one, perturbation, generator)]
        if len(kept[0].b) >= MIN_KEPT * ATTEMPT_SIZE:
            break
    else:
        raise ValueError(
            f"no fractal of {num_transforms} transforms was found that still contracts and fills a canvas"
            f" when its numbers change by {perturbation}"
        )
    while sum(len(each.b) for each in kept) < num_fractals:
        kept.append(_perturbed(one, perturbation, generator))
    A, b = (torch.cat(parts)[:num_fractals] for parts in zip(*kept, strict=True))
    return Transforms(A, b)


def _perturbed(one: Transforms, perturbation: float, generator: torch.Generator | None) -> Transforms:
    """Some perturbations of a fractal A [N, 2, 2], b [N, 2]: those that contract and are filled."""
    uniform = torch.rand(ATTEMPT_SIZE, len(one.b), 6, generator=generator)
    factors = 1 + perturbation * (2 * uniform - 1)
    each = Transforms(one.A * factors[..., :4].view(-1, *one.A.shape), one.b * factors[..., 4:])
    contracts = torch.linalg.matrix_norm(each.A, 2).amax(1) < 1
    kept = contracts & (filling_rates(each, generator) > FILLED)
    return Transforms(each.A[kept], each.b[kept])
