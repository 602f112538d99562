"""FractalAutoencoder: a network learns through the renderer, and its prediction is where a fit begins."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, Trainer

from fractalgan import FractalAutoencoder, ImageData, RandomFractalData, Reconstruction, TargetData
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import ImageEncoder
from fractalgan.ops import contractions
from tests.conftest import TINY_AUTOENCODER, TINY_RECONSTRUCTION
from tests.tasks.processes import fit_by_two

Call = Callable[..., int]
SMALL: dict[str, Any] = {"num_transforms": 3, "num_points": 30, "image_size": 16, "width": 8}
FIT = ["fit", "--model=fractalgan.Reconstruction", "--data=fractalgan.TargetData", *TINY_RECONSTRUCTION]


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of an autoencoder after one step."""
    trainer = quiet_trainer(1, limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(FractalAutoencoder(**SMALL), ImageData(size=16, batch_size=4))
    path = tmp_path_factory.mktemp("autoencoder") / "autoencoder.ckpt"
    trainer.save_checkpoint(path)
    return path


def test_it_learns_to_rebuild_images() -> None:
    """Its error falls well below that of their mean, the best image for all: to 0.65 of it for two seeds."""
    data = ImageData(size=16, batch_size=32)
    task = FractalAutoencoder(num_transforms=5, image_size=16, width=8, lr=3e-3)
    quiet_trainer(200, limit_val_batches=0, enable_checkpointing=False).fit(task, data)
    images = data.sample(150)
    constant = (images.mean(0) - images).square().mean()
    with torch.no_grad():
        rebuilt = task(images, torch.Generator().manual_seed(0))
    assert (rebuilt - images).square().mean() < 0.8 * constant


@pytest.mark.parametrize(
    "data", [ImageData(size=16, batch_size=4), RandomFractalData(8, 3, 16, batch_size=4)]
)
def test_gradient_reaches_every_weight_through_the_renderer(data: Any) -> None:
    task = FractalAutoencoder(**SMALL)
    trainer = quiet_trainer(1, enable_checkpointing=False, val_check_interval=1, limit_val_batches=1)
    trainer.fit(task, data)
    assert set(trainer.callback_metrics) >= {"val/mse", "val/iou"}
    task.zero_grad()
    images, _ = next(iter(data.train_dataloader()))
    (task(images, torch.Generator().manual_seed(0)) - images).square().mean().backward()
    for parameter in task.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any()


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_other_precisions(precision: str) -> None:
    task, data = FractalAutoencoder(**SMALL), ImageData(size=16, batch_size=4)
    quiet_trainer(
        2, precision=precision, gradient_clip_val=1.0, enable_checkpointing=False, limit_val_batches=1
    ).fit(task, data)
    assert all(each.isfinite().all() for each in task.parameters())


def test_transforms_have_full_precision_under_autocast() -> None:
    network, images = ImageEncoder(num_transforms=3, image_size=16, width=8), torch.rand(4, 1, 16, 16)
    expected = network(images)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(images)
    assert found.A.dtype == found.b.dtype == torch.float32
    torch.testing.assert_close(found.b, expected.b, rtol=0, atol=0.02)


def test_predict_takes_any_number_and_type_and_leaves_the_mode() -> None:
    task = FractalAutoencoder(**SMALL).train()
    A, b = task.predict(torch.rand(0, 1, 16, 16))
    assert A.shape == (0, 3, 2, 2)
    assert b.shape == (0, 3, 2)
    assert task.predict(torch.rand(2, 1, 16, 16, dtype=torch.float64)).A.dtype == torch.float32
    assert task.training


def test_learning_rate_follows_a_run_that_is_extended(tmp_path: Path) -> None:
    """At the last step of the first half, the rate is not that of the end of a run."""
    rates = []

    class Rates(Callback):
        def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    data = ImageData(size=16, batch_size=4)
    first = quiet_trainer(3, limit_val_batches=0, enable_checkpointing=False)
    first.fit(FractalAutoencoder(**SMALL), data)
    first.save_checkpoint(tmp_path / "half.ckpt")
    second = quiet_trainer(6, limit_val_batches=0, enable_checkpointing=False, callbacks=[Rates()])
    task = FractalAutoencoder(**SMALL)
    second.fit(task, data, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert rates == [task._lr(step) for step in (3, 4, 5)]


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e18])
def test_every_fractal_is_a_contraction(scale: float) -> None:
    network = ImageEncoder(num_transforms=4, image_size=16, width=8)
    with torch.no_grad():
        network.transforms.weight *= scale
        A, _ = network(torch.rand(20, 1, 16, 16))
    assert A.isfinite().all()
    assert (contractions(A) <= 0.95 + 1e-6).all()


@pytest.mark.parametrize("size", [8, 16, 32, 50])
def test_images_of_any_size(size: int) -> None:
    A, b = ImageEncoder(num_transforms=3, image_size=size, width=8)(torch.rand(2, 1, size, size))
    assert A.shape == (2, 3, 2, 2)
    assert b.shape == (2, 3, 2)


def test_fractal_of_an_image_does_not_depend_on_the_other_images() -> None:
    task, images = FractalAutoencoder(**SMALL), torch.rand(5, 1, 16, 16)
    alone, among = task.predict(images[2:3]), task.predict(images)
    assert alone.A.equal(among.A[2:3])
    assert alone.b.equal(among.b[2:3])
    batch = task.encode(images)
    torch.testing.assert_close(batch.A, among.A)


def test_reconstruction_begins_at_the_prediction(autoencoder: Path) -> None:
    options = {"num_transforms": 3, "num_points": 30, "num_sequences": 4, "image_size": 16, "matrices": "raw"}
    data, task = TargetData(count=4, size=16), Reconstruction(**options, start=str(autoencoder))
    quiet_trainer(1, enable_checkpointing=False).validate(task, data, verbose=False)
    loaded = FractalAutoencoder.load_from_checkpoint(autoencoder, weights_only=True)
    assert data.targets is not None
    assert task.fractals.generator.embedding().A.equal(loaded.predict(data.targets).A)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 12}, "width must be a multiple of 8, got 12"),
        ({"tau_start": 0.0}, "tau_start: tau must be in"),
        ({"tau_start": 0.5}, "tau_start must be >= 1.0, got 0.5"),
        ({"num_sequences": 0}, "num_sequences must be >= 1, got 0"),
        ({"lr": -1.0}, "lr must be > 0, got -1.0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FractalAutoencoder(**SMALL | options)


# -- on the command line -----------------------------------------------------------------------


def test_it_is_followed_by_a_reconstruction(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--trainer.max_steps=1", "--trainer.val_check_interval=1"]
    assert call("fit", "--config=autoencoder.yaml", *TINY_AUTOENCODER, *few) == 0
    (path,) = Path("runs").glob("autoencoder-*/checkpoints/best.ckpt")
    assert f"reconstruction_32px.yaml --model.start {path} --data.size 16" in capsys.readouterr().out
    assert Path(path.parents[1], "figures/before_after_real.png").exists()
    assert call(*FIT, f"--model.start={path}", *few) == 0
    assert call("test", "--ckpt_path", str(path)) == 0
    (line,) = Path(path.parents[1], "evaluations.jsonl").read_text().splitlines()
    assert {"test/mse", "test/iou"} <= set(json.loads(line)) | set(json.loads(line).get("metrics", {}))


def test_two_processes_train_it_as_one_does_on_the_same_images(call: Call, tmp_path: Path) -> None:
    options = ["--config=autoencoder.yaml", *TINY_AUTOENCODER, "--trainer.precision=64-true"]
    assert call("fit", *options, "--data.batch_size=16", "--run=one") == 0
    fit_by_two(*options, "--run=two", cwd=tmp_path)
    one, two = (
        torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True)["state_dict"] for run in ("one", "two")
    )
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, rtol=0, atol=1e-12)
