"""From one fractal to another."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from fractalgan.ops import Fractals


def matched(first: Fractals, second: Fractals) -> Fractals:
    """The second fractal with its transforms in the order in which they are nearest to those of the first.

    Args:
        first: one fractal, without the dimension J.
        second: another one with as many transforms and features.
    """
    before, after = (
        torch.cat([A.flatten(1), b, values], 1).detach().cpu() for (A, b), (values, _, _) in (first, second)
    )
    distances = torch.cdist(before, after).square().nan_to_num(torch.finfo(before.dtype).max / 1e6)
    _, order = linear_sum_assignment(distances.numpy())
    return second.with_transforms(torch.from_numpy(order))


def between(first: Fractals, second: Fractals, share: float) -> Fractals:
    """A fractal between two, whose numbers are means of theirs: the first for ``share`` 0, the second for 1.

    Contractions stay contractions on the way, as the norm of a mean of matrices is not above that of both.
    """

    def mean(one: Tensor, other: Tensor) -> Tensor:
        return one.lerp(other, share)

    return Fractals.of_tensors(tuple(map(mean, first.tensors, second.tensors)))
