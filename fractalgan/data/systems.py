"""Random systems and what they draw: what an inverse encoder learns from."""

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from fractalgan.data.image_set import ImageSet
from fractalgan.data.images import Batches
from fractalgan.data.stream import EndlessBatches, Place
from fractalgan.errors import blame_input, require_above
from fractalgan.limits import require_maps, require_sizes
from fractalgan.ops import (
    Transforms,
    check_view,
    determinant_probabilities,
    fill_window,
    fractaldb,
    look_up_sequences,
    render,
)
from fractalgan.randomness import TOGETHER, Share, generator_for

# What random numbers are for: the last word of their key.
SYSTEMS, FILLING, DRAWN, VALIDATION = range(640, 644)

POINTS, TAU = 2000, 0.5  # enough of them, and fine enough, to show an attractor's shape
SMALLEST = 8  # pixels a side


class SystemData(LightningDataModule):
    """Batches ``(images [B, 1, size, size] 0 or 1, maps [B, N, 6])`` of FractalDB's random systems.

    The systems are drawn once, their images anew at every step. Each system is scaled to fill the window, as
    FractalDB's canvas; its maps, A row by row, then b, are those that draw the image in it, the one with
    the largest determinant first.

    Args:
        num_systems: how many there are.
        num_transforms: N, the affine maps of each.
        size: height and width in pixels.
        window: half the side of the square of the plane that is drawn.
        binarize: images become 1 above this level and 0 below.
        batch_size: images a batch (and process).
        seed: of all random numbers; follows --seed_everything.
    """

    def __init__(
        self,
        num_systems: int = 20_000,
        num_transforms: int = 10,
        size: int = 32,
        window: float = 2.5,
        binarize: float = 0.2,
        batch_size: int = 100,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_sizes(num_systems=num_systems, num_transforms=num_transforms, batch_size=batch_size)
        require_maps(num_systems, num_transforms)
        require_sizes(SMALLEST, size=size)
        require_above(0, binarize=binarize)
        with blame_input():
            check_view((size, size), window, TAU)
        self.source = "fractaldb"
        self.num_systems = num_systems
        self.num_transforms = num_transforms
        self.size = size
        self.window = window
        self.binarize = binarize
        self.batch_size = batch_size
        self.seed = seed
        self.systems: Transforms | None = None

    def setup(self, stage: str | None = None) -> None:
        if self.systems is None:
            self.systems = self._drawn(self.num_systems, SYSTEMS)
            others = self._drawn(max(1, self.num_systems // 20), VALIDATION)
            self.validation = others, self.images(others, generator_for(self.seed, 0, VALIDATION))

    def _drawn(self, count: int, purpose: int) -> Transforms:
        with blame_input(f"num_transforms {self.num_transforms}"):
            systems = fractaldb(count, self.num_transforms, generator_for(self.seed, purpose))
        systems = fill_window(systems, self.window, generator_for(self.seed, purpose, FILLING))
        order = torch.linalg.det(systems.A).abs().argsort(1, descending=True)
        A = systems.A.gather(1, order[..., None, None].expand_as(systems.A))
        return Transforms(A, systems.b.gather(1, order[..., None].expand_as(systems.b)))

    def images(self, systems: Transforms, random: torch.Generator, share: Share = Share()) -> Tensor:  # noqa: B008
        """A fresh image [J, 1, size, size] of each system."""
        fractals = torch.arange(len(systems.b))
        uniform = share.draw(torch.rand, len(fractals), POINTS, generator=random)
        sequences = look_up_sequences(determinant_probabilities(systems.A), fractals, uniform)
        size = (self.size, self.size)
        images = render(systems, fractals, sequences, size=size, window=self.window, tau=TAU)
        return (images > self.binarize).float().unsqueeze(1)

    def train_dataloader(self) -> Batches:
        return DataLoader(DrawnSystems(self, Place.of(self.seed, self.trainer)), batch_size=None)

    def val_dataloader(self) -> Batches:
        systems, images = self.validation
        return DataLoader(TensorDataset(images, as_maps(systems)), batch_size=500)  # type: ignore[arg-type]


class DrawnSystems(EndlessBatches):
    """An endless stream of the systems of ``data``, each image drawn anew, from (seed, batch)."""

    def __init__(self, data: SystemData, place: Place) -> None:
        places = ImageSet(torch.empty(data.num_systems, 0, dtype=torch.uint8))
        super().__init__(places, data.batch_size, place)
        self.data = data

    @torch.no_grad()
    def _take(self, indices: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        assert self.data.systems is not None
        systems = Transforms(*(each[indices] for each in self.data.systems))
        random = generator_for(self.place.seed, TOGETHER, batch, DRAWN)
        return self.data.images(systems, random, self.place.share), as_maps(systems)


def as_maps(systems: Transforms) -> Tensor:
    """Transforms as one tensor [J, N, 6]: A row by row, then b."""
    return torch.cat([systems.A.flatten(2), systems.b], -1)
