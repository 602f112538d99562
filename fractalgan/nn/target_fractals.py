"""Fractals that reconstruct target images, each target by one of its candidates."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from fractalgan.nn.candidates import Candidates
from fractalgan.nn.embedding import FractalEmbedding
from fractalgan.nn.generator import VIEW, FractalGenerator
from fractalgan.nn.resolution import Resolution
from fractalgan.nn.target_scores import TargetScores, explodes, score_images
from fractalgan.ops import Fractals
from fractalgan.randomness import Purpose, rows_for
from fractalgan.storage.labels import Labels

Objective = Literal["expectation", "fixed"]
Part = Literal["matrices", "b", "features"]

EVALUATED_IMAGES = 100  # per fractal (Section 4)
GALLERY_SIZE = 100  # images


class TargetFractals(nn.Module):
    """One fractal for each of n targets, or several candidates of which one remains.

    All random numbers of a target follow from (seed, its index, step, purpose), and chunks change speed and
    memory only: a target's fractal does not depend on the other targets.

    ``rows`` below are the numbers, among the n, of the targets in a batch.

    Args:
        generator: the candidates of all targets in turn, [n * candidates] fractals.
        candidates: their ranking.
        target_indices: [n], what the random numbers of each target follow from.
        seed: random seed.
        num_sequences: number of images per target and step, shared out among the candidates.
        objective: ``expectation`` draws fresh index sequences at every step, ``fixed`` keeps those of the
            initial fractal.
        chunk: number of targets that are drawn at a time.
    """

    initial_probabilities: Tensor  # [n * candidates, N] of the transforms, before the first step
    target_indices: Tensor  # [n]

    def __init__(
        self,
        generator: FractalGenerator,
        candidates: Candidates,
        target_indices: Tensor,
        *,
        seed: int = 0,
        num_sequences: int = 50,
        objective: Objective = "expectation",
        chunk: int = 20,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.candidates = candidates
        with torch.no_grad():
            probabilities = generator.transform_probabilities(generator.embedding().A)
        self.register_buffer("initial_probabilities", probabilities)
        self.register_buffer("target_indices", target_indices)
        self.seed = seed
        self.num_sequences = num_sequences
        self.objective = objective
        self.chunk = chunk

    def __len__(self) -> int:
        return len(self.target_indices)

    def extra_repr(self) -> str:
        return f"num_sequences={self.num_sequences}, objective={self.objective!r}, chunk={self.chunk}"

    def label_(self, labels: Labels) -> None:
        """Give the fractals the classes of their targets [n]."""
        candidates = self.candidates.ranking.shape[1]
        values = labels.values.repeat_interleave(candidates)
        self.generator.embedding.label_(labels._replace(values=values))

    # -- learning -------------------------------------------------------------------------------

    def learned_parameters(self) -> dict[Part, list[nn.Parameter]]:
        """Those of the matrices, b, and those of the features."""
        embedding = self.generator.embedding
        return {
            "matrices": [*embedding.matrices.parameters()],
            "b": [embedding.b],
            "features": [*embedding.features.parameters()],
        }

    def losses_and_gradients(
        self,
        targets: Tensor,  # [rows, channels, H, W]
        rows: Tensor,  # [rows]
        step: int,
        resolution: Resolution | None = None,
    ) -> tuple[Tensor, dict[Part, list[Tensor]]]:
        """The MSE [rows, candidates that remain], and its gradients for :meth:`learned_parameters`.

        A fractal that is not finite draws nothing. Its loss is infinite, so that it wins against none.

        Args:
            targets: [rows, channels, H, W].
            rows: [rows].
            step: counted from 0.
            resolution: number and width of the points; None takes the generator's.
        """
        fractals = self.generator.embedding.fractals()
        # chunks add up their gradients at these leaves; one pass takes them all to the parameters
        leaves = fractals.map(_leaf)
        losses = torch.cat(
            [self._descend(leaves, targets[part], rows[part], step, resolution) for part in self._parts(rows)]
        )
        # not `backward`: ranks do not share targets, so no gradient is to be averaged between them
        learned = self.learned_parameters()
        reached = [
            (each, leaf.grad)
            for each, leaf in zip(fractals.tensors, leaves.tensors, strict=True)
            if leaf.grad is not None
        ]
        outputs, cotangents = zip(*reached, strict=True)
        parameters = [each for part in learned.values() for each in part]
        gradients = iter(torch.autograd.grad(outputs, parameters, cotangents))
        return losses, {part: [next(gradients) for _ in each] for part, each in learned.items()}

    def _descend(
        self, leaves: Fractals, targets: Tensor, rows: Tensor, step: int, resolution: Resolution | None
    ) -> Tensor:
        """Add a chunk's gradient to that of the leaves, and return its losses."""
        remaining = self.candidates.remaining(rows, step)
        fractals = remaining.flatten()
        chosen = leaves.select(fractals)
        fixed = self.objective == "fixed"
        images = self.draw(
            chosen,
            rows,
            self.num_sequences // remaining.shape[1],
            *((Purpose.RECONSTRUCTION_FIXED,) if fixed else (step, Purpose.RECONSTRUCTION_TRAINING)),
            probabilities=self.initial_probabilities[fractals] if fixed else None,
            resolution=resolution,
        )
        losses = (images - targets[:, None, None]).square().mean((2, 3, 4, 5))
        losses.sum().backward()  # type: ignore[no-untyped-call]
        diverged = ~torch.cat([each.flatten(1) for each in chosen.tensors], 1).isfinite().all(1)
        return losses.detach().masked_fill(diverged.view(losses.shape), math.inf)

    @torch.no_grad()
    def perturb_(self, rows: Tensor, step: int, std: float, *, matrices_only: bool = False) -> None:
        """Add Gaussian noise to the transforms of all candidates: the paper's noisy SGD."""
        parameters = self.learned_parameters()
        noisy = parameters["matrices"] + ([] if matrices_only else parameters["b"])
        sizes = [parameter[0].numel() for parameter in noisy]
        keys = self._keys(rows, step, Purpose.RECONSTRUCTION_NOISE)
        noise = rows_for(torch.randn, keys, self.candidates.ranking.shape[1], sum(sizes)).flatten(0, 1)
        fractals = self.candidates.all_of(rows)
        for parameter, part in zip(noisy, torch.split(noise.to(rows.device), sizes, 1), strict=True):
            parameter[fractals] += std * part.reshape(-1, *parameter.shape[1:])
        self.generator.embedding.constrain_()

    # -- drawing --------------------------------------------------------------------------------

    def draw(
        self,
        fractals: Fractals,
        rows: Tensor,
        count: int,
        *key: int,
        probabilities: Tensor | None = None,
        resolution: Resolution | None = None,
    ) -> Tensor:
        """Images [rows, k, count, channels, H, W] of k fractals per target, from random numbers by target and
        ``key``.

        Args:
            fractals: rows * k of them, the k of each target in turn.
            rows: [rows].
            count: images per fractal.
            key: what the random numbers follow from besides seed and target, a purpose last.
            probabilities: [rows * k, N] of the transforms; None follows the generator's rule.
            resolution: number and width of the points; None takes the generator's.
        """
        resolution = resolution or self.generator.resolution
        if probabilities is None:
            probabilities = self.generator.transform_probabilities(fractals.transforms.A)
        number = len(fractals.transforms.b)
        indices = torch.arange(number, device=rows.device).repeat_interleave(count)
        per_target = number // len(rows) * count
        uniform = rows_for(torch.rand, self._keys(rows, *key), per_target, resolution.num_points)
        sequences = self.generator.to_sequences(probabilities, indices, uniform.flatten(0, 1).to(rows.device))
        images = self.generator.render(fractals, indices, sequences, resolution)
        return images.view(len(rows), -1, count, *images.shape[1:])

    @torch.no_grad()
    def score(self, targets: Tensor, rows: Tensor) -> TargetScores:
        """Scores [rows] of the winners, by 100 fresh images of each against its target [rows, C, H, W]."""
        chosen = self.winning_fractals().select(rows)
        scores = []
        for part in self._parts(rows):
            fractals = chosen.select(part.to(rows.device))
            images = self.draw(fractals, rows[part], EVALUATED_IMAGES, Purpose.RECONSTRUCTION_EVALUATION)
            exploded = explodes(self.generator, fractals.transforms)
            scores.append(score_images(images.squeeze(1), targets[part], exploded))
        return TargetScores(*(torch.cat(parts) for parts in zip(*scores, strict=True)))

    @torch.no_grad()
    def gallery(self) -> Tensor:
        """One image of each winner, at most 100 [n, C, H, W], from the same random numbers every time."""
        rows = torch.arange(min(len(self), GALLERY_SIZE), device=self.target_indices.device)
        chosen = self.winning_fractals().select(rows)
        return self.draw(chosen, rows, 1, Purpose.RECONSTRUCTION_GALLERY).flatten(0, 2)

    def winning_fractals(self) -> Fractals:
        """The best fractal of each target, n in all."""
        winners = self.candidates.winners()
        return self.generator.embedding.fractals().select(winners)

    @torch.no_grad()
    def learned(self) -> FractalGenerator:
        """A generator of its own that draws the best fractal of each target, as they are now."""
        own = self.generator
        transforms, features = self.winning_fractals()
        labels, of_all = None, own.embedding.labels
        if of_all is not None:
            labels = Labels(of_all[self.candidates.winners()], own.embedding.classes)
        embedding = FractalEmbedding(transforms, "raw", features=features, labels=labels)
        return FractalGenerator(embedding, **{name: getattr(own, name) for name in VIEW})

    def _parts(self, rows: Tensor) -> tuple[Tensor, ...]:
        return torch.split(torch.arange(len(rows)), self.chunk)

    def _keys(self, rows: Tensor, *key: int) -> list[tuple[int, ...]]:
        return [(self.seed, index, *key) for index in self.target_indices[rows].tolist()]


def _leaf(tensor: Tensor) -> Tensor:
    """The same numbers, without their history."""
    return tensor.detach().requires_grad_(tensor.requires_grad)
