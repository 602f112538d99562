"""Metrics of drawn images on the features of a LeNet trained on the real classes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fractalgan.callbacks import SetMetrics
from fractalgan.data import ImageData
from tests.conftest import TINY

WITH_METRICS = [
    "--trainer.callbacks=fractalgan.callbacks.SetMetrics",
    "--trainer.callbacks.steps=40",
    "--model.instance_noise=0",  # which depends on the length of the run, as a schedule does
    "--model.generator_schedule=constant",
]
NAMES = {"val/frechet_lenet", "val/kid_lenet", "val/classes_covered", "val/recognized"}


class FakeModule:
    """The part of a LightningModule that the callback needs."""

    device = torch.device("cpu")
    hparams = {"seed": 0}

    def __init__(self, gallery: Tensor) -> None:
        self.logged: dict[str, float] = {}
        self.images = gallery

    def gallery(self) -> Tensor:
        return self.images

    def log(self, name: str, value: Tensor, **_: bool) -> None:
        self.logged[name] = float(value)


class FakeTrainer:
    """The part of a Trainer that the callback needs."""

    def __init__(self, data: ImageData) -> None:
        self.datamodule = data
        self.strategy = self

    def reduce(self, counts: Tensor, reduce_op: str) -> Tensor:
        return counts


@pytest.fixture(scope="module")
def digits() -> ImageData:
    data = ImageData(binarize=None, size=20)
    data.setup()
    return data


@pytest.fixture(scope="module")
def metrics() -> SetMetrics:
    return SetMetrics(steps=300)


def evaluate(metrics: SetMetrics, data: ImageData, drawn: Tensor) -> dict[str, float]:
    trainer, module = FakeTrainer(data), FakeModule(drawn)
    assert data.validation_images is not None
    real, labels = data.validation_images[torch.arange(len(data.validation_images))]
    metrics.on_validation_start(trainer, module)
    metrics.on_validation_batch_end(trainer, module, drawn, (real, labels), 0)
    metrics.on_validation_epoch_end(trainer, module)
    return module.logged


def test_real_images_are_near_and_cover_all_classes(metrics: SetMetrics, digits: ImageData) -> None:
    assert digits.train_images is not None
    real = digits.train_images[torch.arange(400)][0]
    ones = digits.train_images[torch.arange(len(digits.train_images))[digits.train_images.labels == 1]][0]
    noise = torch.rand(200, 1, 20, 20)
    by_set = [evaluate(metrics, digits, images) for images in (real, ones, noise)]
    for name in ("val/frechet_lenet", "val/kid_lenet"):
        values = [each[name] for each in by_set]
        assert values[0] < 0.2 * min(values[1:]), name
    assert by_set[0]["val/classes_covered"] > 9
    assert by_set[1]["val/classes_covered"] < 2.5
    assert 320 < by_set[0]["val/recognized"] <= 400
    assert by_set[2]["val/recognized"] < 100  # of 200


def test_results_can_be_repeated(digits: ImageData) -> None:
    drawn = torch.rand(150, 1, 20, 20)
    before = torch.get_rng_state()
    first, again = (evaluate(SetMetrics(steps=20), digits, drawn) for _ in range(2))
    assert first == again
    assert torch.get_rng_state().equal(before)


def test_resumed_run_logs_the_same_as_an_uninterrupted_one(call: Callable[..., int]) -> None:
    assert call("fit", *TINY, *WITH_METRICS, "--run=whole") == 0
    assert call("fit", *TINY, *WITH_METRICS, "--run=halves", "--trainer.max_steps=3") == 0
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt", "--trainer.max_steps=6") == 0
    whole, halves = (
        [json.loads(line) for line in Path(f"{name}/metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "halves")
    )
    assert whole[-1].keys() >= NAMES
    assert halves == whole


def test_every_run_trains_its_own_judge(digits: ImageData) -> None:
    metrics, trainer, module = (
        SetMetrics(steps=20),
        FakeTrainer(digits),
        FakeModule(torch.zeros(1, 1, 20, 20)),
    )
    metrics.on_validation_start(trainer, module)  # type: ignore[arg-type]
    first = metrics.features
    metrics.on_validation_start(trainer, module)  # type: ignore[arg-type]
    assert metrics.features is first
    metrics.setup(trainer, module, "fit")  # type: ignore[arg-type]
    metrics.on_validation_start(trainer, module)  # type: ignore[arg-type]
    assert metrics.features is not first


def test_without_labels_nothing_is_logged(call: Callable[..., int], image_folder: Path) -> None:
    flat = Path("flat")
    flat.mkdir()
    for number, path in enumerate(sorted(image_folder.rglob("*.png"))):
        path.rename(flat / f"{number}.png")
    assert call("fit", *TINY, *WITH_METRICS, "--data.name=folder", "--data.root=flat", "--run=run") == 0
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert not any(NAMES & row.keys() for row in rows)
