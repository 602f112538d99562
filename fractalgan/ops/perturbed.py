"""One fractal, perturbed: any number of fractals of nearly the same shape (1p-frac)."""

import torch

from fractalgan.ops.affine import Transforms
from fractalgan.ops.random_fractals import Procedure, filling_rates, random_fractals

CANDIDATES = 64  # random fractals, of which the first that is well filled is perturbed
WELL_FILLED = 0.2  # share of the cells of a canvas, as in FractalDB
FILLED = 0.05  # that a perturbed one has to exceed, as in the code of 1p-frac
ATTEMPT_SIZE = 1024  # perturbed fractals that are tested at a time
MIN_ATTEMPTS = 8  # before the share of those that are filled is judged


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
    fractal is the first of 64 random ones that fills a fifth of its canvas. Perturbed ones that fill less
    than a twentieth are left out, and those with a transform that does not contract, whose points may
    scatter.

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
        ValueError: if hardly any of the perturbed fractals is kept.

    Example::

        >>> perturbed_fractals("anderson-farrell", num_fractals=1000, num_transforms=2, perturbation=0.1)
        Transforms(num_fractals=1000, num_transforms=2, dtype=torch.float32, device='cpu')
    """
    drawn = random_fractals(procedure, CANDIDATES, num_transforms, generator)
    rates = filling_rates(drawn, generator)
    chosen = int((rates > WELL_FILLED).int().argmax() if rates.max() > WELL_FILLED else rates.argmax())
    A, b = drawn.A[chosen], drawn.b[chosen]
    accepted: list[Transforms] = []
    while (total := sum(len(each.b) for each in accepted)) < num_fractals:
        if len(accepted) >= MIN_ATTEMPTS and total < len(accepted):
            raise ValueError(
                f"fractals that are perturbed by {perturbation} hardly ever contract and fill a canvas"
            )
        uniform = torch.rand(ATTEMPT_SIZE, num_transforms, 6, generator=generator)
        factors = 1 + perturbation * (2 * uniform - 1)
        each = Transforms(A * factors[..., :4].view(-1, num_transforms, 2, 2), b * factors[..., 4:])
        contracts = torch.linalg.matrix_norm(each.A, 2).amax(1) < 1
        kept = contracts & (filling_rates(each, generator) > FILLED)
        accepted.append(Transforms(each.A[kept], each.b[kept]))
    A, b = (torch.cat(parts)[:num_fractals] for parts in zip(*accepted, strict=True))
    return Transforms(A, b)
