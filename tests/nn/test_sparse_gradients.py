"""Optimizer steps of the fractals that are drawn."""

import torch
from torch import nn
from torch.optim import Adam, SparseAdam

from fractalgan.nn import keep_drawn_rows


def test_only_the_rows_with_a_gradient_move_and_keep_their_moments() -> None:
    """A row that is drawn every other step is as that of an Adam which sees those steps alone."""
    torch.manual_seed(0)
    A, b = nn.Parameter(torch.rand(4, 3, 2)), nn.Parameter(torch.rand(4, 2))
    before = A.detach().clone(), b.detach().clone()
    optimizer = SparseAdam([A, b], lr=0.1)
    optimizer.register_step_pre_hook(keep_drawn_rows)
    for step in range(6):
        rows = [0, 1] if step % 2 else [1, 3]
        A.grad, b.grad = torch.zeros_like(A), torch.zeros_like(b)
        A.grad[rows], b.grad[rows] = torch.rand(2, 3, 2) - 0.5, 0.0
        b.grad[rows[0], 0] = 1.0
        kept = A.detach()[[row for row in range(4) if row not in rows]].clone()
        optimizer.step()
        assert A.detach()[[row for row in range(4) if row not in rows]].equal(kept)
        assert A.grad.is_sparse
        assert A.grad.coalesce().indices().tolist() == [rows]
    assert A.detach()[2].equal(before[0][2])
    assert b.detach()[2].equal(before[1][2])


def test_it_is_adam_where_every_row_is_drawn() -> None:
    ours, theirs = (nn.Parameter(torch.arange(12.0).view(3, 2, 2)) for _ in range(2))
    sparse, dense = SparseAdam([ours], lr=0.1, betas=(0.5, 0.99)), Adam([theirs], lr=0.1, betas=(0.5, 0.99))
    sparse.register_step_pre_hook(keep_drawn_rows)
    for step in range(5):
        gradient = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(step)) - 0.5
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        sparse.step()
        dense.step()
    torch.testing.assert_close(ours, theirs)
