"""LinearProbe: only the head learns, on standardized features of labeled images."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pytorch_lightning import Trainer
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from fractalgan import FractalData, ImageData, LinearProbe, Pretraining, TargetData
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.tasks.probe import labeled_indices


def digits() -> ImageData:
    return ImageData(size=16, binarize=None)


def fit(task: LinearProbe, data: Any = None) -> Trainer:
    steps = len(task.hparams["penalties"])
    trainer = quiet_trainer(steps, val_check_interval=steps, enable_checkpointing=False)
    trainer.fit(task, data or digits())
    return trainer


def test_only_the_head_learns() -> None:
    task = LinearProbe(penalties=[1e-2], image_size=16)
    before = {name: value.clone() for name, value in task.network.state_dict().items()}
    fit(task)
    assert all(task.network.state_dict()[name].equal(value) for name, value in before.items())
    assert task.head.weight.abs().sum() > 0


def test_head_is_that_of_multinomial_regression() -> None:
    """Against scikit-learn, on pixels."""
    data, penalty = digits(), 0.1
    task = LinearProbe("pixels", penalties=[penalty], image_size=16)
    fit(task, data)
    assert data.train_images is not None
    images, labels = data.train_images[:]
    features = ((images.flatten(1) - task.mean) / task.std).double()
    theirs = LogisticRegression(C=1 / (penalty * len(labels)), tol=1e-8, max_iter=5000)
    theirs.fit(features.numpy(), labels.numpy())

    def objective(weight: Tensor, bias: Tensor) -> Tensor:
        return F.cross_entropy(features @ weight.T + bias, labels) + penalty / 2 * weight.square().sum()

    least = objective(torch.from_numpy(theirs.coef_), torch.from_numpy(theirs.intercept_))
    ours = objective(task.head.weight.detach().double(), task.head.bias.detach().double())
    assert least <= ours < 1.01 * least
    agree = task(images).argmax(1) == torch.from_numpy(theirs.predict(features.numpy()))
    assert agree.float().mean() > 0.98


def test_features_are_standardized() -> None:
    task = LinearProbe(penalties=[1.0], image_size=16)
    fit(task)
    assert task.examples is not None
    features, _ = task.examples
    torch.testing.assert_close(features.mean(0), torch.zeros(84), atol=1e-4, rtol=0)
    varies = features.std(0) > 0
    torch.testing.assert_close(features.std(0)[varies], torch.ones(int(varies.sum())), atol=1e-3, rtol=0)


def test_each_class_has_as_many_labels() -> None:
    labels = torch.tensor([0, 1, 1, 0, 2, 2, 2, 0])
    chosen = labeled_indices(labels, 2, torch.Generator().manual_seed(0))
    assert labels[chosen].bincount().tolist() == [2, 2, 2]
    assert len(set(chosen.tolist())) == 6
    assert labeled_indices(labels, None, torch.Generator()).tolist() == list(range(8))
    with pytest.raises(
        InputError, match="labels_per_class must be <= 2, the size of the smallest class, got 3"
    ):
        labeled_indices(labels, 3, torch.Generator())


def test_backbone_is_that_of_the_checkpoint(tmp_path: Path) -> None:
    pretrained = Pretraining(num_fractals=4, image_size=16)
    trainer = quiet_trainer(1, limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(pretrained, FractalData(num_fractals=4, images_per_class=5, size=16, batch_size=8))
    trainer.save_checkpoint(tmp_path / "lenet.ckpt")
    task = LinearProbe(str(tmp_path / "lenet.ckpt"), penalties=[1.0], image_size=16)
    probe_trainer = fit(task)
    images = torch.rand(3, 1, 16, 16)
    assert task.network.embed(images).equal(pretrained.network.embed(images))

    probe_trainer.save_checkpoint(tmp_path / "probe.ckpt")
    (tmp_path / "lenet.ckpt").unlink()
    again = LinearProbe.load_from_checkpoint(tmp_path / "probe.ckpt", weights_only=True)
    assert again(images).equal(task(images))
    with pytest.raises(InputError, match=r"probe\.ckpt is a checkpoint of LinearProbe, not of Pretraining"):
        fit(LinearProbe(str(tmp_path / "probe.ckpt"), penalties=[1.0], image_size=16))


def test_older_checkpoint_is_loaded(tmp_path: Path) -> None:
    task = LinearProbe("pixels", penalties=[1.0], image_size=16)
    fit(task).save_checkpoint(tmp_path / "probe.ckpt")
    content = torch.load(tmp_path / "probe.ckpt", weights_only=True)
    content["state_dict"]["deviation"] = content["state_dict"].pop("std")
    torch.save(content, tmp_path / "older.ckpt")
    again = LinearProbe.load_from_checkpoint(tmp_path / "older.ckpt", weights_only=True)
    assert again.std.equal(task.std)


def test_steps_are_as_many_as_penalties() -> None:
    with pytest.raises(InputError, match=r"tries 6 L2 penalties, one per step: set Trainer\(max_steps=6\)"):
        quiet_trainer(5, enable_checkpointing=False).fit(LinearProbe(image_size=16), digits())


@pytest.mark.parametrize("data", [TargetData(count=2, size=16), FractalData(images_per_class=1, size=16)])
def test_other_data_is_refused(data: Any) -> None:
    with pytest.raises(InputError, match="needs labeled images: use datamodule=ImageData"):
        fit(LinearProbe(image_size=16), data)


def test_images_without_labels_are_refused() -> None:
    data = digits()
    data.setup()
    data.classes = []
    with pytest.raises(InputError, match="needs labels of two or more classes, but digits has 0"):
        fit(LinearProbe(image_size=16), data)


def test_probe_that_is_not_trained_is_not_tested() -> None:
    trainer = quiet_trainer(1)
    with pytest.raises(InputError, match="the probe has not been trained: set --ckpt_path to its checkpoint"):
        trainer.test(LinearProbe(image_size=16), digits(), verbose=False)
    with pytest.raises(InputError, match="the probe was trained on 3 classes, but digits has 10"):
        trainer.test(LinearProbe(image_size=16, num_classes=3), digits(), verbose=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels_per_class": 0}, "labels_per_class must be >= 1, got 0"),
        ({"penalties": []}, "penalties must have at least one value"),
        ({"penalties": [1.0, 0.0]}, r"penalties\[1\] must be > 0, got 0.0"),
        ({"image_size": 8}, "image_size must be >= 16 for a LeNet"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LinearProbe(**options)
