"""The cases that every backend of ``render`` is tested with, and the dense reference for them."""

import os
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from fractalgan.ops import Features, Transforms, iterate_points, splat_dense, start_points, to_pixels
from tests.problems import random_fractals

BACKENDS = ["numba", "triton", "torch"]
DEVICES = {"numba": "cpu", "triton": os.environ.get("FRACTALGAN_TEST_DEVICE", "cpu"), "torch": "cpu"}
every_backend = pytest.mark.parametrize("backend", BACKENDS)


class Case(NamedTuple):
    size: tuple[int, int] = (32, 32)
    window: float = 2.5
    tau: float = 1.0
    num_transforms: int = 5
    num_points: int = 30
    batch: int = 5
    seed: int = 0
    chains: int | None = None  # None for sequences [B, T]
    features: int = 0  # K


CASES = {
    "as in the paper": Case(num_transforms=10, num_points=300, batch=2),
    "tall image": Case((40, 9), 2.0, 1.3),
    "wide image": Case((5, 70), 2.0, 0.7, seed=1),
    "window smaller than the attractor": Case((16, 16), 0.3, seed=2),
    "window larger than the attractor": Case((33, 31), 20.0, seed=3),
    "narrow bumps": Case((20, 20), 2.5, 0.1, seed=4),
    "bumps of two tiles": Case((48, 40), 2.5, 4.0, seed=5),
    "bumps wider than the image": Case((12, 20), 1.5, 200.0, num_points=3, seed=6),
    "one transform": Case(num_transforms=1, seed=7),
    "one point": Case(num_points=1, seed=8),
    "one column": Case((9, 1), 1.5, seed=9),
    "large image": Case((128, 100), 2.5, 0.3, seed=10, batch=2),
    "image of 512 pixels": Case((512, 96), 2.4, seed=11, batch=2, num_points=10),
    "one chain": Case(chains=1, batch=2, seed=13),
    "three chains": Case(chains=3, batch=2, seed=14),
    "more chains than groups": Case((20, 24), chains=20, num_points=10, batch=2, seed=15),
    "chains of wide bumps": Case((48, 40), 2.5, 4.0, chains=7, num_points=20, batch=2, seed=16),
    "chains across the borders of the image": Case((48, 40), 0.5, 4.0, chains=3, batch=2, seed=17),
    "chains of bumps wider than a tile": Case((100, 70), 1.0, 20.0, chains=2, batch=2, seed=18),
    "gray levels": Case(features=1, seed=19),
    "colors": Case(features=3, num_transforms=10, num_points=300, batch=2, seed=20),
    "colors of a wide image": Case((5, 70), 2.0, 0.7, features=3, seed=21),
    "colors of wide bumps": Case((48, 40), 2.5, 4.0, features=3, seed=22),
    "colors of a large image": Case((128, 100), 2.5, 0.3, batch=2, features=3, seed=23),
    "colors of one transform": Case(num_transforms=1, features=3, seed=24),
    "colors of one point": Case(num_points=1, features=3, seed=25),
    "colors of chains": Case((20, 24), chains=20, num_points=10, batch=2, features=3, seed=26),
    "gray levels of chains": Case((48, 40), 0.5, 4.0, chains=3, batch=2, features=1, seed=27),
    "twenty features": Case(num_transforms=3, batch=2, features=20, seed=28),
    "narrowest bumps": Case((9, 9), 2.5, 1e-4, seed=12, batch=8, num_points=300),
}
# The torch backend computes in the given type, and these cases need more digits than float32 has.
BEYOND_FLOAT32 = {"image of 512 pixels", "narrowest bumps"}
every_backend_and_case = pytest.mark.parametrize(
    ("backend", "case"),
    [
        pytest.param(backend, case, id=f"{name}-{backend}")
        for name, case in CASES.items()
        for backend in BACKENDS
        if not (backend == "torch" and name in BEYOND_FLOAT32)
    ],
)


def problem(case: Case, backend: str = "torch") -> tuple[Transforms, Tensor, Tensor, dict[str, Any]]:
    """Three fractals, a batch in which the first two appear repeatedly, index sequences, and the view.

    The tensors are on the device of the backend. Features, if there are any, are in the view.
    """
    device = DEVICES[backend]
    A, b = random_fractals(3, case.num_transforms, case.seed)
    transforms = Transforms(*(part.float().to(device).requires_grad_() for part in (A, b)))
    fractals = torch.arange(case.batch) * 2 % 3
    generator = torch.Generator().manual_seed(case.seed)
    shape = (case.batch, *([] if case.chains is None else [case.chains]), case.num_points)
    sequences = torch.randint(0, case.num_transforms, shape, generator=generator)
    view: dict[str, Any] = {"size": case.size, "window": case.window, "tau": case.tau}
    if case.features:
        shapes = (3, case.num_transforms, case.features), (3, case.num_transforms), (3, case.features)
        drawn = [torch.rand(shape, generator=generator).to(device) for shape in shapes]
        view["features"] = Features(*(each.requires_grad_() for each in drawn))
    return transforms, fractals.to(device), sequences.to(device), view


def learned(transforms: Transforms, view: dict[str, Any]) -> list[Tensor]:
    """The tensors of a problem that require a gradient."""
    return [*transforms, *view.get("features", [])]


def render_dense(
    transforms: Transforms,
    fractals: Tensor,
    sequences: Tensor,
    size: tuple[int, int],
    window: float,
    tau: float,
    features: Features | None = None,
) -> Tensor:
    """Eqs. 3 and 8 in float64 on the CPU, term by term."""
    start = start_points(transforms, fractals, sequences).double().cpu()  # from the same float32 numbers
    transforms = Transforms(*(part.double().cpu() for part in transforms))
    fractals, sequences = fractals.cpu(), sequences.cpu()
    if sequences.ndim == 2:
        sequences, start = sequences.unsqueeze(1), start.unsqueeze(1)
    features = None if features is None else Features(*(part.double().cpu() for part in features))
    sums: Tensor | float = 0.0
    for chain in range(sequences.shape[1]):
        points = iterate_points(transforms, fractals, sequences[:, chain], start[:, chain])
        of_points = None if features is None else blended(features, fractals, sequences[:, chain])
        sums = sums + splat_dense(to_pixels(points, size, window), size, tau, of_points)
    assert isinstance(sums, Tensor)
    if features is None:
        return sums.clamp_max(1)
    weights, colors = sums[:, :1], sums[:, 1:]
    alpha, background = weights.clamp_max(1), features.background[fractals][..., None, None]
    return alpha * colors / weights.clamp_min(1e-300) + (1 - alpha) * background


def blended(features: Features, fractals: Tensor, sequences: Tensor) -> Tensor:
    """The features [B, T, K] of points: sums over all points before, weighted by what later blends left."""
    rows, length = fractals.unsqueeze(1), sequences.shape[1]
    own, blend = features.values[rows, sequences], features.blend[rows, sequences]
    fresh = torch.cat([torch.ones_like(blend[:, :1]), 1 - blend[:, 1:]], 1)
    result = []
    for t in range(length):
        kept = [blend[:, s + 1 : t + 1].prod(1) * fresh[:, s] for s in range(t + 1)]
        result.append((torch.stack(kept, 1).unsqueeze(-1) * own[:, : t + 1]).sum(1))
    return torch.stack(result, 1)


def relative_error(actual: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
    """The norm of the difference, relative to that of the expected tensors."""
    actual, expected = (
        torch.cat([each.double().cpu().flatten() for each in parts]) for parts in (actual, expected)
    )
    return float((actual - expected).norm() / expected.norm())
