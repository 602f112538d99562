"""What tests share: tiny data in the sources' own formats, and a command line to call in-process."""

import contextlib
import io
import logging
import os
import shutil
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# As in __main__.py: beside another program, threads that spin would make the tests ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

import torch

from fractalgan.cli.program import run
from fractalgan.experiments import workers
from tests.data.files import labeled_fractals
from tests.forks import fork_server

# Small enough to fit within a second, with everything that matters.
TINY = [
    "--trainer.accelerator=cpu",
    "--trainer.max_steps=6",
    "--trainer.val_check_interval=3",
    "--trainer.log_every_n_steps=2",
    "--data.size=16",
    "--data.batch_size=8",
    "--model.num_fractals=4",
    "--model.num_transforms=3",
    "--model.num_points=20",
]

# Digits in three equal channels: what is learned from them has colors, as from any images in color.
IN_COLOR = ["--data.channels=3", "--data.binarize=null"]

TINY_PRETRAINING = [
    *(option for option in TINY if option.startswith("--trainer")),
    "--data.size=16",
    "--data.batch_size=8",
    "--data.images_per_class=5",
    "--data.num_points=20",
    "--model.num_fractals=4",
]


TINY_AUTOENCODER = [
    *(option for option in TINY if not option.startswith("--model.num_fractals")),
    "--model.width=8",
]

TINY_ENCODER = [
    *(option for option in TINY if option.startswith("--trainer")),
    "--data.num_fractals=30",
    "--data.batch_size=8",
    "--data.size=16",
    "--data.num_transforms=3",
    "--model.num_transforms=3",
]

TINY_RECONSTRUCTION = [
    *(option for option in TINY if option.startswith("--trainer")),
    "--data.size=16",
    "--data.count=5",
    "--model.num_transforms=3",
    "--model.num_points=20",
    "--model.num_sequences=8",
    "--model.noise_interval=2",
    "--model.candidates=4",
    "--model.halvings=[2,4]",
]


TINY_CLASSIFIER = [
    *(option for option in TINY if not option.startswith("--model")),
    "--model.width=4",
]


TINY_DISTILLATION = [
    *TINY_CLASSIFIER,
    "--model.num_images=20",
    "--model.networks=3",
    "--model.max_age=2",
]


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """What the package logs."""
    monkeypatch.setattr(logging.getLogger("fractalgan"), "propagate", True)
    caplog.set_level(logging.INFO, "fractalgan")
    return caplog


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a command line in an empty folder, in-process: ``call("fit", ...) -> exit status``."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(list(arguments))


@pytest.fixture
def call_with_fractals(call: Callable[..., int]) -> Callable[..., int]:
    """Run a command line in a folder that has labeled.safetensors."""
    labeled_fractals(Path("labeled.safetensors"))
    return call


@pytest.fixture(scope="session")
def _train_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    from tests.cli.folders import TASKS

    @cache
    def train(task: str) -> Path:
        folder = tmp_path_factory.mktemp(task) / "run"
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert run(["fit", *TASKS[task][1], f"--run={folder}"]) == 0
        return folder

    return train


@pytest.fixture
def trained(
    _train_once: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Path]:
    """Copy a finished tiny run, which is trained once for all tests: ``trained("gan", "mine")``.

    Paths start from an empty folder. Call it before a task is patched.
    """
    monkeypatch.chdir(tmp_path)

    def copy(task: str, to: str) -> Path:
        return Path(shutil.copytree(_train_once(task), to))  # with its times

    return copy


@pytest.fixture
def warm_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of an experiment are forked from a process that has imported torch."""
    monkeypatch.setattr(workers, "get_context", lambda _: fork_server())


@pytest.fixture
def mnist_like(tmp_path: Path) -> Callable[[str], Path]:
    """Write a data set of 40 + 20 random images as the IDX files that torchvision downloads."""

    def write(name: str) -> Path:
        raw = tmp_path / "idx" / name / "raw"
        raw.mkdir(parents=True)
        random = np.random.default_rng(0)
        for part, count in {"train": 40, "t10k": 20}.items():
            images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            labels = (np.arange(count) % 10).astype(np.uint8)
            write_idx(raw / f"{part}-images-idx3-ubyte", images)
            write_idx(raw / f"{part}-labels-idx1-ubyte", labels)
        return tmp_path / "idx"

    return write


def write_idx(path: Path, values: np.ndarray) -> None:
    """The MNIST family's format: a magic number, the shape as big-endian integers, the bytes."""
    header = struct.pack(f">I{values.ndim}I", 0x0800 + values.ndim, *values.shape)
    path.write_bytes(header + values.tobytes())


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """24 images of squares and bars in two class folders."""
    root = tmp_path / "shapes"
    for number in range(24):
        kind = "squares" if number % 2 else "bars"
        pixels = np.zeros((20, 20), np.uint8)
        pixels[5:15, (5 if kind == "squares" else 9) : (15 if kind == "squares" else 11)] = 200 + number
        path = root / kind / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return root
