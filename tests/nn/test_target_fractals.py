"""TargetFractals: each target has random numbers of its own and depends on no other."""

from collections.abc import Mapping, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fractalgan.nn import Candidates, FractalEmbedding, FractalGenerator, TargetFractals
from fractalgan.nn.target_fractals import EVALUATED_IMAGES
from fractalgan.ops import Transforms, anderson_farrell, determinant_probabilities, render
from fractalgan.randomness import Purpose, generator_for

SIZE, POINTS = 16, 40


def target_fractals(number: int = 4, per_target: int = 1, **options) -> TargetFractals:
    parts = [anderson_farrell(per_target, 3, generator_for(0, k)) for k in range(number)]
    A, b = (torch.cat(each) for each in zip(*parts, strict=True))
    generator = FractalGenerator(FractalEmbedding(Transforms(A, b), "raw"), SIZE, POINTS)
    options = {"num_sequences": 8, "seed": 5} | options
    candidates = Candidates(number, per_target, options.pop("halvings", ()))
    return TargetFractals(generator, candidates, 10 + torch.arange(number), **options)


def targets(number: int = 4) -> Tensor:
    return (torch.rand(number, 1, SIZE, SIZE, generator=generator_for(1)) > 0.8).float()


def flat(parts: Mapping[str, Sequence[Tensor]]) -> list[Tensor]:
    return [each for part in parts.values() for each in part]


@pytest.mark.parametrize("objective", ["expectation", "fixed"])
def test_losses_and_gradients_are_those_of_the_mse(objective) -> None:
    """Against one fractal alone: plain render, autograd, sequences by a search in the probabilities."""
    fractals, step, rows = target_fractals(objective=objective), 7, torch.tensor([2])
    losses, gradients = fractals.losses_and_gradients(targets()[2:3], rows, step)
    A, b = (each[2:3].detach().clone().requires_grad_() for each in fractals.generator.embedding())
    purpose = (Purpose.RECONSTRUCTION_FIXED,)
    if objective == "expectation":
        purpose = (step, Purpose.RECONSTRUCTION_TRAINING)
    uniform = torch.rand(8, POINTS, generator=generator_for(5, 12, *purpose))
    levels = determinant_probabilities(A)[0].cumsum(0)
    sequences = torch.searchsorted(levels, uniform * levels[-1], right=True)
    images = render(
        Transforms(A, b), torch.zeros(8, dtype=torch.long), sequences, size=(SIZE, SIZE), window=2.5
    )
    loss = F.mse_loss(images, targets()[2].expand(8, SIZE, SIZE))
    torch.testing.assert_close(losses, loss.detach().view(1, 1))
    for found, expected in zip(flat(gradients), torch.autograd.grad(loss, [A, b]), strict=True):
        torch.testing.assert_close(found[2:3], expected, atol=1e-6, rtol=1e-4)
        assert not found[[0, 1, 3]].any()


def test_results_depend_neither_on_chunks_nor_on_other_targets() -> None:
    whole, chunked = (target_fractals(per_target=2, chunk=chunk) for chunk in (20, 3))
    rows = torch.arange(4)
    expected = whole.losses_and_gradients(targets(), rows, 1)
    found = chunked.losses_and_gradients(targets(), rows, 1)
    assert found[0].equal(expected[0])
    assert all(one.equal(other) for one, other in zip(flat(found[1]), flat(expected[1]), strict=True))
    alone, _ = whole.losses_and_gradients(targets()[1:2], rows[1:2], 1)
    assert alone.equal(expected[0][1:2])
    assert all(
        one.equal(other)
        for one, other in zip(whole.score(targets(), rows), chunked.score(targets(), rows), strict=True)
    )


def test_candidates_share_the_sequences_of_a_target() -> None:
    fractals = target_fractals(per_target=4, halvings=[1])
    rows = torch.arange(4)
    losses, _ = fractals.losses_and_gradients(targets(), rows, 0)
    assert losses.shape == (4, 4)
    fractals.candidates.update(losses, rows, 0)
    losses, gradients = fractals.losses_and_gradients(targets(), rows, 1)
    assert losses.shape == (4, 2)
    drawn = gradients["b"][0].flatten(1).any(1).view(4, 4).sum(1)
    assert drawn.tolist() == [2, 2, 2, 2]


def test_fixed_sequences_stay_those_of_the_initial_fractal() -> None:
    fractals, rows = target_fractals(objective="fixed"), torch.arange(4)
    first, _ = fractals.losses_and_gradients(targets(), rows, 0)
    later, _ = fractals.losses_and_gradients(targets(), rows, 9)
    assert later.equal(first)
    before = fractals.initial_probabilities.clone()
    with torch.no_grad():
        fractals.generator.embedding.matrices.get_parameter("A")[:, 0] *= 0.1
    assert fractals.initial_probabilities.equal(before)


def test_fractal_that_is_not_finite_has_an_infinite_loss_and_harms_no_other() -> None:
    fractals, rows = target_fractals(), torch.arange(4)
    expected, gradients = fractals.losses_and_gradients(targets(), rows, 0)
    with torch.no_grad():
        fractals.generator.embedding.b[1, 0] = torch.nan
    losses, others = fractals.losses_and_gradients(targets(), rows, 0)
    assert losses.isinf().flatten().tolist() == [False, True, False, False]
    assert losses[[0, 2, 3]].equal(expected[[0, 2, 3]])
    for one, other in zip(flat(gradients), flat(others), strict=True):
        assert one[[0, 2, 3]].equal(other[[0, 2, 3]])


def test_noise_is_that_of_the_target_and_moves_what_it_should() -> None:
    fractals, alone, matrices = (target_fractals(per_target=2) for _ in range(3))
    before = [parameter.detach().clone() for parameter in flat(fractals.learned_parameters())]
    fractals.perturb_(torch.arange(4), 3, 0.1)
    alone.perturb_(torch.tensor([2]), 3, 0.1)
    matrices.perturb_(torch.arange(4), 3, 0.1, matrices_only=True)
    after = flat(fractals.learned_parameters())
    moved = [each - was for each, was in zip(after, before, strict=True)]
    assert all(each.std().item() == pytest.approx(0.1, rel=0.3) for each in moved)
    assert alone.generator.embedding.b[4:6].equal(fractals.generator.embedding.b[4:6])
    assert alone.generator.embedding.b[:4].equal(before[1][:4])
    assert matrices.generator.embedding.b.equal(before[1])
    assert not matrices.generator.embedding().A.equal(before[0])


def test_scores_are_of_fresh_images_of_the_winners() -> None:
    fractals, rows = target_fractals(per_target=2), torch.arange(4)
    fractals.candidates.update(torch.tensor([[1.0, 0.0]] * 4), rows, 0)
    assert fractals.candidates.winners().tolist() == [1, 3, 5, 7]
    scores = fractals.score(targets(), rows)
    learned = fractals.learned()
    images = torch.stack([learned.draw(range(4)).detach() for _ in range(EVALUATED_IMAGES)], 1)
    mse = (images - targets().unsqueeze(1)).square().mean((2, 3, 4))
    torch.testing.assert_close(scores.mse_mean, mse.mean(1), rtol=0.05, atol=0)
    torch.testing.assert_close(scores.mse_min, mse.amin(1), rtol=0.15, atol=0)


def test_learned_fractals_are_those_of_the_winners_and_apart_from_them() -> None:
    fractals, rows = target_fractals(per_target=2), torch.arange(4)
    fractals.candidates.update(torch.tensor([[1.0, 0.0]] * 4), rows, 0)
    learned = fractals.learned()
    assert learned.embedding().A.equal(fractals.generator.embedding().A[1::2])
    assert (learned.size, learned.num_points) == ((SIZE, SIZE), POINTS)
    with torch.no_grad():
        learned.embedding.b.zero_()
    assert fractals.generator.embedding.b.any()


def test_gallery_is_one_image_per_target_and_always_the_same() -> None:
    fractals = target_fractals()
    gallery = fractals.gallery()
    assert gallery.shape == (4, 1, SIZE, SIZE)
    assert gallery.equal(fractals.gallery())
    assert gallery[1:2].equal(target_fractals(2).gallery()[1:2])
