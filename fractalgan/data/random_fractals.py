"""Random fractals and images of them: training data of an inverse encoder."""

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from fractalgan.data.datamodule import Batches, DataModule
from fractalgan.data.stream import EndlessStream, StreamPosition
from fractalgan.errors import as_input_error, require_above
from fractalgan.limits import require_sizes, require_transforms
from fractalgan.ops import (
    Transforms,
    check_view,
    determinant_probabilities,
    fill_window,
    fractaldb,
    render,
    sequences_from_uniform,
)
from fractalgan.randomness import ALL_RANKS, Purpose, RandomSource, generator_for

NUM_POINTS, TAU = 2000, 0.5  # many and fine enough to show an attractor's shape
MIN_SIZE = 8  # pixels a side


class RandomFractalData(DataModule):
    """Random fractals and images of them, to train an InverseEncoder on.

    Batches are ``(images [B, 1, size, size] 0 or 1, transforms [B, N, 6])``. The fractals are drawn once, by
    FractalDB's procedure, and their images anew at every step. Each fractal is scaled to fill the window. A
    transform is stored as its A, row by row, then b; the transform with the largest determinant comes first.

    Args:
        num_fractals: number of training fractals.
        num_transforms: number of affine transforms per fractal (N).
        size: height and width in pixels.
        window: half the side length of the square region of the plane that is rendered.
        binarize: threshold above which pixels become 1, and 0 below.
        batch_size: images per batch and process.
        seed: random seed; defaults to --seed_everything.
    """

    def __init__(
        self,
        num_fractals: int = 20_000,
        num_transforms: int = 10,
        size: int = 32,
        window: float = 2.5,
        binarize: float = 0.2,
        batch_size: int = 100,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_sizes(num_fractals=num_fractals, num_transforms=num_transforms, batch_size=batch_size)
        require_transforms(num_fractals, num_transforms)
        require_sizes(MIN_SIZE, size=size)
        require_above(0, binarize=binarize)
        with as_input_error():
            check_view((size, size), window, TAU)
        self.source = "fractaldb"
        self.num_fractals = num_fractals
        self.num_transforms = num_transforms
        self.size = size
        self.window = window
        self.binarize = binarize
        self.batch_size = batch_size
        self.seed = seed
        self.fractals: Transforms | None = None
        self.validation: tuple[Transforms, Tensor] | None = None  # fractals, and an image of each

    def setup(self, stage: str | None = None) -> None:
        if self.fractals is None:
            self.fractals = self._random(self.num_fractals, Purpose.RANDOM_FRACTALS)
            purpose = Purpose.RANDOM_FRACTALS_VALIDATION
            fractals = self._random(max(1, self.num_fractals // 20), purpose)
            random = RandomSource(generator_for(self.seed, 0, purpose))
            self.validation = fractals, self.images(fractals, random)

    def _random(self, count: int, purpose: Purpose) -> Transforms:
        with as_input_error(f"num_transforms {self.num_transforms}"):
            fractals = fractaldb(count, self.num_transforms, generator_for(self.seed, purpose))
        filling = generator_for(self.seed, purpose, Purpose.RANDOM_FRACTALS_FILLING)
        fractals = fill_window(fractals, self.window, filling)
        order = torch.linalg.det(fractals.A).abs().argsort(1, descending=True)
        A = fractals.A.gather(1, order[..., None, None].expand_as(fractals.A))
        return Transforms(A, fractals.b.gather(1, order[..., None].expand_as(fractals.b)))

    def images(self, fractals: Transforms, random: RandomSource) -> Tensor:
        """A fresh image of each fractal, [J, 1, size, size]."""
        rows = torch.arange(len(fractals.b))
        uniform = random.rand(len(rows), NUM_POINTS)
        sequences = sequences_from_uniform(determinant_probabilities(fractals.A), rows, uniform)
        size = (self.size, self.size)
        images = render(fractals, rows, sequences, size=size, window=self.window, tau=TAU)
        return (images > self.binarize).float().unsqueeze(1)

    def train_dataloader(self) -> Batches:
        fractals = self._after_setup(self.fractals)
        stream = RandomFractalBatches(self, fractals, StreamPosition.of(self.seed, self.trainer))
        return DataLoader(stream, batch_size=None)

    def val_dataloader(self) -> Batches:
        fractals, images = self._after_setup(self.validation)
        return DataLoader(TensorDataset(images, as_vectors(fractals)), batch_size=500)  # type: ignore[arg-type]

    def sample(self, count: int) -> Tensor:
        _, images = self._after_setup(self.validation)
        rest = Transforms(*(each[: max(0, count - len(images))] for each in self._after_setup(self.fractals)))
        random = RandomSource(generator_for(self.seed, 1, Purpose.RANDOM_FRACTALS_VALIDATION))
        return torch.cat([images[:count], self.images(rest, random)])

    def _is_set_up(self) -> bool:
        return self.fractals is not None

    def _facts(self) -> dict[str, object]:
        names = ("num_fractals", "num_transforms", "size", "window", "batch_size")
        return {name: getattr(self, name) for name in names}


class RandomFractalBatches(EndlessStream):
    """An endless stream of the fractals of ``data``, each image drawn anew, from (seed, batch)."""

    def __init__(self, data: RandomFractalData, fractals: Transforms, position: StreamPosition) -> None:
        super().__init__(data.num_fractals, data.batch_size, position)
        self.data = data
        self.fractals = fractals

    @torch.no_grad()
    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        fractals = Transforms(*(each[indices] for each in self.fractals))
        generator = generator_for(self.position.seed, ALL_RANKS, batch, Purpose.RANDOM_FRACTALS_TRAINING)
        return self.data.images(fractals, RandomSource(generator, self.position.shard)), as_vectors(fractals)


def as_vectors(fractals: Transforms) -> Tensor:
    """Transforms as one tensor [J, N, 6]: A row by row, then b."""
    return torch.cat([fractals.A.flatten(2), fractals.b], -1)
