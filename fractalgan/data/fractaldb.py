"""Images of FractalDB's kind (Kataoka et al., ACCV 2020), as targets that are fractals themselves."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from fractalgan.ops import Transforms, determinant_probabilities, fractaldb, look_up_sequences, visited_cells
from fractalgan.randomness import generator_for, rows_for

# What random numbers are for: the last word of their key.
NUMBERS, SYSTEMS, POINTS = range(600, 603)

LEAST, MOST = 2, 8  # transforms of a system
FINER = 4  # cells of the canvas an image's pixel, along each axis
POINTS_PER_CELL = 1.25  # 20,000 for 32 x 32 pixels


def fractaldb_images(count: int, size: int, seed: int) -> Tensor:
    """``count`` grey images [count, 1, size, size] uint8, the first ones the same for any count.

    Each shows a random system of 2 to 8 transforms, scaled to fill the canvas: a pixel's level is the
    share of its 4 x 4 cells that the chaos game visits.
    """
    numbers = torch.randint(LEAST, MOST + 1, (count,), generator=generator_for(seed, NUMBERS))
    images = torch.empty(count, 1, size, size, dtype=torch.uint8)
    for number in range(LEAST, MOST + 1):
        chosen = numbers == number
        images[chosen] = _images_of(number, int(chosen.sum()), size, seed)
    return images


def _images_of(number: int, count: int, size: int, seed: int) -> Tensor:
    """``count`` images of systems with ``number`` transforms, but for those that run away in the end."""
    tried = count + 4
    while True:
        systems = fractaldb(tried, number, generator_for(seed, number, SYSTEMS))
        keys = [(seed, number, k, POINTS) for k in range(tried)]
        parts = torch.split(torch.arange(tried), 50)
        drawn = torch.cat(
            [draw_systems(Transforms(systems.A[k], systems.b[k]), [keys[i] for i in k], size) for k in parts]
        )
        settled = drawn[drawn.flatten(1).amax(1) > 0]
        if len(settled) >= count:
            return settled[:count]
        tried *= 2


def draw_systems(systems: Transforms, keys: Sequence[tuple[int, ...]], size: int) -> Tensor:
    """Images [keys, 1, size, size] of as many systems; black for one that runs away."""
    cells = FINER * size
    uniform = rows_for(torch.rand, keys, int(POINTS_PER_CELL * cells**2))
    fractals = torch.arange(len(keys))
    sequences = look_up_sequences(determinant_probabilities(systems.A), fractals, uniform)
    visited = visited_cells(systems, sequences, cells=cells).unsqueeze(1)
    return (avg_pool2d(visited, FINER) * 255).round().to(torch.uint8)
