"""Tiny runs of every task, a signal during one, and the content of their folders."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from fractalgan.storage.resources import CONFIGS
from fractalgan.tasks import (
    Classifier,
    Distillation,
    FractalAutoencoder,
    FractalGAN,
    InverseEncoder,
    LinearProbe,
    Pretraining,
    Reconstruction,
    Task,
)
from tests.conftest import (
    IN_COLOR,
    TINY,
    TINY_AUTOENCODER,
    TINY_CLASSIFIER,
    TINY_DISTILLATION,
    TINY_ENCODER,
    TINY_PRETRAINING,
    TINY_RECONSTRUCTION,
)

# Ten random fractals, one of each class of the digits, by `labeled_fractals(path, per_class=1)`.
LABELED = Path(__file__).parents[1] / "data" / "labeled.json"

EXPERIMENTS = ("ablation_", "compare_", "distill_")  # configurations of other verbs
FIT_CONFIGS = sorted(path for path in CONFIGS.glob("*.yaml") if not path.stem.startswith(EXPERIMENTS))

TASKS: dict[str, tuple[type[Task], list[str]]] = {
    "gan": (FractalGAN, TINY),
    "gan in color": (FractalGAN, [*TINY, *IN_COLOR]),
    "autoencoder": (FractalAutoencoder, ["--config=autoencoder.yaml", *TINY_AUTOENCODER]),
    "encoder": (InverseEncoder, ["--config=inverse_encoder.yaml", *TINY_ENCODER]),
    "reconstruction": (Reconstruction, ["--config=reconstruction_32px.yaml", *TINY_RECONSTRUCTION]),
    "reconstruction in color": (
        Reconstruction,
        [
            "--config=reconstruction_32px.yaml",
            *TINY_RECONSTRUCTION,
            "--data.name=photographs",
            "--data.count=2",
        ],
    ),
    "pretraining": (Pretraining, ["--config=pretraining.yaml", *TINY_PRETRAINING]),
    "pretraining in color": (
        Pretraining,
        ["--config=pretraining.yaml", *TINY_PRETRAINING, "--data.features=3"],
    ),
    "probe": (
        LinearProbe,
        ["--config=probe.yaml", "--data.size=16", "--trainer.val_check_interval=3"],
    ),
    "classifier": (Classifier, ["--config=classifier_images.yaml", *TINY_CLASSIFIER]),
    "distillation": (
        Distillation,
        ["--config=distillation.yaml", *TINY_DISTILLATION, f"--model.fractals={LABELED}"],
    ),
}


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def signalled(kind: type[Task], step: int, number: signal.Signals) -> Callable[..., Any]:
    """A training step of the task that first sends this process a signal when ``step`` steps are done."""
    training_step = kind.training_step

    def interrupted(self: Task, batch: Any, batch_idx: int) -> Any:
        if self.global_step == step:
            signal.raise_signal(number)
        return training_step(self, batch, batch_idx)

    return interrupted
