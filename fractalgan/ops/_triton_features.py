"""The kernels of the Triton backend that carry features from point to point; ``_triton.py`` launches them."""

import triton.language as tl

from fractalgan.ops._triton_kernels import jit


@jit
def _load_carried(
    carried: tl.tensor,
    fractal: tl.tensor,
    n: tl.tensor,
    num_fractals: tl.tensor,
    num_transforms: tl.tensor,
    number: tl.tensor,
    k: tl.tensor,
) -> tl.tensor:
    """The features [LANES, K] of transforms n and their blend [LANES]; 0 where one does not exist."""
    valid = (fractal >= 0) & (fractal < num_fractals) & (n >= 0) & (n < num_transforms)
    at = carried + (number + 1) * (fractal * num_transforms + n)
    own = tl.load(at[:, None] + k, valid[:, None] & (k < number), 0.0)
    return own, tl.load(at + number, valid, 0.0)[:, None]


@jit
def carry(
    carried: tl.tensor, fractals: tl.tensor, sequences: tl.tensor, features: tl.tensor,
    num_chains: tl.tensor, num_fractals: tl.tensor, num_transforms: tl.tensor, num_points: tl.tensor,
    number: tl.tensor, LANES: tl.constexpr, COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    """Compute the features f(t) = (1 - blend) own + blend f(t-1) of the points, one chain per thread."""
    chain, k = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES), tl.arange(0, COLUMNS)[None, :]
    exists = chain < num_chains
    fractal = tl.load(fractals + chain, exists, 0)
    of_point = tl.zeros((LANES, COLUMNS), tl.float32)
    for t in range(num_points):
        i = chain * num_points + t
        n = tl.load(sequences + i, exists, 0)
        own, blend = _load_carried(carried, fractal, n, num_fractals, num_transforms, number, k)
        blend = tl.where(t > 0, blend, 0.0)
        of_point = (1 - blend) * own + blend * of_point
        tl.store(features + i[:, None] * number + k, of_point, exists[:, None] & (k < number))


@jit
def carry_back(
    carried: tl.tensor, fractals: tl.tensor, sequences: tl.tensor, features: tl.tensor,
    of_features: tl.tensor, of_carried: tl.tensor,
    num_chains: tl.tensor, num_fractals: tl.tensor, num_transforms: tl.tensor, num_points: tl.tensor,
    number: tl.tensor, LANES: tl.constexpr, COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    """What each point adds to the gradient of its transform's features and of their blend.

    One chain per thread, from the last point to the first.
    """
    chain, k = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES), tl.arange(0, COLUMNS)[None, :]
    exists, column = (chain < num_chains)[:, None], k < number
    fractal = tl.load(fractals + chain, chain < num_chains, 0)
    through = tl.zeros((LANES, COLUMNS), tl.float32)
    for back in range(num_points):
        t = num_points - 1 - back
        i = chain * num_points + t
        n = tl.load(sequences + i, chain < num_chains, 0)
        own, blend = _load_carried(carried, fractal, n, num_fractals, num_transforms, number, k)
        blend = tl.where(t > 0, blend, 0.0)
        address = i[:, None] * number + k
        before = tl.load(features + address - number, exists & column & (t > 0), 0.0)
        adjoint = tl.load(of_features + address, exists & column, 0.0) + through
        row = of_carried + i[:, None] * (number + 1)
        tl.store(row + k, (1 - blend) * adjoint, exists & column)
        of_blend = tl.where(t > 0, tl.sum(adjoint * (before - own), 1), 0.0)
        tl.store(row + number, of_blend[:, None], exists)
        through = blend * adjoint
