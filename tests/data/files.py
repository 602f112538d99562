"""Picture files for tests of reading."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fractalgan.nn import FractalEmbedding, FractalGenerator, Labels
from fractalgan.ops import anderson_farrell, random_features


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def plain(value: int, height: int = 8, width: int = 8) -> np.ndarray:
    """Pixels [height, width] of one gray level."""
    return np.full((height, width), value, np.uint8)


def shape(level: int | tuple[int, int, int], ground: int | None, side: int = 16) -> np.ndarray:
    """A square of a gray level or color in the middle of a gray level, or of transparency: RGBA."""
    pixels = np.zeros((side, side, 4), np.uint8)
    if ground is not None:
        pixels[...] = (ground, ground, ground, 255)
    pixels[side // 4 : -side // 4, side // 4 : -side // 4, :3] = level
    pixels[side // 4 : -side // 4, side // 4 : -side // 4, 3] = 255
    return pixels


def cut_off(path: Path) -> Path:
    """A PNG file of which the second half is missing."""
    save(path, np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def labeled_fractals(
    path: Path, classes: Sequence[str] = tuple("0123456789"), *, per_class: int = 2, features: int = 0
) -> Path:
    """Write random fractals, so many of each class in turn, which draw images of 16 x 16 pixels."""
    labels = Labels(torch.arange(len(classes)).repeat_interleave(per_class), tuple(classes))
    random = torch.Generator().manual_seed(0)
    transforms = anderson_farrell(len(labels.values), 3, random)
    colors = random_features(transforms.b, features, random)
    embedding = FractalEmbedding(transforms, "raw", features=colors, labels=labels)
    FractalGenerator(embedding, 16, num_points=30, jitter=0.05).save(path)
    return path
