"""Run folders as a finished run leaves them, without a training."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image

from fractalgan.nn import FractalEmbedding, FractalGenerator
from fractalgan.ops import Transforms, anderson_farrell, random_features
from fractalgan.reports import Summary
from fractalgan.storage import RunFolder


def generator(
    num_features: int = 0, seed: int = 0, count: int = 3, num_transforms: int = 5
) -> FractalGenerator:
    """Random fractals that are smaller than the window."""
    source = torch.Generator().manual_seed(seed)
    A, b = anderson_farrell(count, num_transforms, source)
    features = random_features(b, num_features, source) if num_features else None
    return FractalGenerator(FractalEmbedding(Transforms(0.75 * A, b), "raw", features=features))


def write_run(
    path: Path, fractals: FractalGenerator | None = None, *, steps: int = 30, **changes: object
) -> RunFolder:
    """A finished run with curves, grids and fractals; ``changes`` are those of its Summary."""
    run = RunFolder(path)
    run.figures.mkdir(parents=True)
    run.config.write_text("seed_everything: 0\n")
    summary = Summary(
        **{
            **asdict(
                Summary(
                    "0.2.0", "FractalGAN", "digits", 0, steps, steps, True, 61.0, 0, "val/x", 0.5, steps, {}
                )
            ),
            "metrics": {"val/x": 0.5},
            "findings": ["the discriminator tells all apart: check --data.invert"],
            **changes,
        }
    )
    summary.write(run)
    run.environment.write_text(json.dumps([{"command": "python -m fractalgan fit", "python": "3.11"}]))
    rows = [
        {"step": step, "train/x": 1 / (1 + step), "val/x": 2 / (1 + step)} for step in range(0, steps, 10)
    ]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for step in (0, 10, 20):
        Image.new("RGB", (40, 40), (step * 10, 0, 0)).save(run.figures / f"fractals_{step:06d}.png")
    if fractals is not None:
        fractals.save(run.fractals)
    return run
