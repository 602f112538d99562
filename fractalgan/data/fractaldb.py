"""Images like FractalDB's (Kataoka et al., ACCV 2020), as targets that are fractals themselves."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from fractalgan.ops import (
    Transforms,
    determinant_probabilities,
    fractaldb,
    sequences_from_uniform,
    visited_cells,
)
from fractalgan.randomness import Purpose, generator_for, rows_for

MIN_TRANSFORMS, MAX_TRANSFORMS = 2, 8  # per fractal
CELLS_PER_PIXEL = 4  # of the canvas, along each axis
LONG, CHAIN = 330_000, 20_480  # points; a sequence longer than LONG is cut into chains, which is faster
POINTS_PER_CELL = 1.25  # 20,000 for 32 x 32 pixels


def fractaldb_images(count: int, size: int, seed: int) -> Tensor:
    """``count`` grayscale images [count, 1, size, size] uint8, the first ones the same for any count.

    Each shows a random fractal of 2 to 8 transforms, scaled to fill the canvas: a pixel's level is the
    share of its 4 x 4 cells that the chaos game visits.
    """
    generator = generator_for(seed, Purpose.FRACTALDB_SIZES)
    numbers = torch.randint(MIN_TRANSFORMS, MAX_TRANSFORMS + 1, (count,), generator=generator)
    images = torch.empty(count, 1, size, size, dtype=torch.uint8)
    for num_transforms in range(MIN_TRANSFORMS, MAX_TRANSFORMS + 1):
        chosen = numbers == num_transforms
        images[chosen] = _images_with(num_transforms, int(chosen.sum()), size, seed)
    return images


def _images_with(num_transforms: int, count: int, size: int, seed: int) -> Tensor:
    """``count`` images of fractals with ``num_transforms`` transforms, without those that diverge."""
    tried = count + 4
    while True:
        generator = generator_for(seed, num_transforms, Purpose.FRACTALDB_TRANSFORMS)
        fractals = fractaldb(tried, num_transforms, generator)
        keys = [(seed, num_transforms, k, Purpose.FRACTALDB_POINTS) for k in range(tried)]
        parts = torch.split(torch.arange(tried), 50)
        drawn = torch.cat(
            [
                draw_fractals(Transforms(fractals.A[k], fractals.b[k]), [keys[i] for i in k], size)
                for k in parts
            ]
        )
        converged = drawn[drawn.flatten(1).amax(1) > 0]
        if len(converged) >= count:
            return converged[:count]
        tried *= 2


def draw_fractals(fractals: Transforms, keys: Sequence[tuple[int, ...]], size: int) -> Tensor:
    """An image of each fractal, [J, 1, size, size] uint8; black for one that diverges.

    Args:
        fractals: A [J, N, 2, 2] and b [J, N, 2].
        keys: [J], of each fractal's random numbers.
        size: height and width in pixels.
    """
    chains = dense_chains(fractals, keys, size)
    visited = visited_cells(fractals, chains, cells=CELLS_PER_PIXEL * size).unsqueeze(1)
    return (avg_pool2d(visited, CELLS_PER_PIXEL) * 255).round().to(torch.uint8)


def dense_chains(fractals: Transforms, keys: Sequence[tuple[int, ...]], size: int) -> Tensor:
    """Index sequences that visit every pixel of a fractal's image many times: chains [J, C, T]."""
    uniform = rows_for(torch.rand, keys, int(POINTS_PER_CELL * (CELLS_PER_PIXEL * size) ** 2))
    sequences = sequences_from_uniform(
        determinant_probabilities(fractals.A), torch.arange(len(keys)), uniform
    )
    if (length := sequences.shape[1]) > LONG:
        return sequences[:, : length // CHAIN * CHAIN].view(len(keys), -1, CHAIN)
    return sequences.unsqueeze(1)
