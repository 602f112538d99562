"""Gradients of the fractals that a step draws, for an optimizer that leaves all others as they are."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def keep_drawn_rows(optimizer: Optimizer, *_: Any) -> None:
    """Make gradients sparse, of the fractals that any gradient is for: a step pre-hook of SparseAdam.

    Adam would move the others, too, by the gradients of earlier steps.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    gradients = [each.grad for each in parameters if each.grad is not None]
    if not gradients:
        return
    drawn = torch.stack([each.flatten(1).ne(0).any(1) for each in gradients]).any(0)
    rows = drawn.nonzero().squeeze(1)
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad = as_rows(parameter.grad, rows)


def as_rows(gradient: Tensor, rows: Tensor) -> Tensor:
    """Some rows of a tensor [J, ...] as a sparse tensor of the same shape."""
    return torch.sparse_coo_tensor(
        rows.unsqueeze(0), gradient[rows], gradient.shape, check_invariants=True, is_coalesced=True
    )
