"""Classifier: a network learns classes from labeled fractals or real images, and is tested on real images."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan import Classifier, FractalData, ImageData, LabeledFractalData, TargetData
from fractalgan.data import EndlessBatches
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from tests.data.files import labeled_fractals, save, shape
from tests.data.read_images import assert_test_images_are_read_last

TINY = {"image_size": 16, "width": 8}


def images(**options: Any) -> ImageData:
    return ImageData(**{"size": 16, "batch_size": 32, "binarize": None} | options)


def fit(task: Classifier, data: Any, steps: int, **options: Any) -> Classifier:
    given = {"val_check_interval": steps, "enable_checkpointing": False} | options
    quiet_trainer(steps, **given).fit(task, data)
    return task


@pytest.mark.parametrize(("network", "accuracy"), [("lenet", 0.5), ("convnet", 0.8)])
def test_classifier_learns_digits(network: str, accuracy: float) -> None:
    task = Classifier(network, image_size=16, lr=5e-3)  # type: ignore[arg-type]
    trainer = quiet_trainer(80, val_check_interval=80, enable_checkpointing=False)
    trainer.fit(task, images())
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert metrics["val/accuracy"] > accuracy
    assert metrics["val/error"] == pytest.approx(1 - metrics["val/accuracy"], abs=1e-6)
    (tested,) = trainer.test(task, images(), verbose=False)
    assert tested.keys() == {"test/accuracy"}
    assert tested["test/accuracy"] > accuracy


def test_classifier_learns_what_labeled_fractals_draw(tmp_path: Path) -> None:
    path = labeled_fractals(tmp_path / "labeled.safetensors", per_class=1)
    data = LabeledFractalData(str(path), size=16, batch_size=40)
    task = fit(Classifier(**TINY, lr=1e-2, num_classes=10), data, 80, log_every_n_steps=1)
    assert task.trainer.callback_metrics["train/accuracy"] > 0.7
    drawn = data.drawn.generator.draw(torch.arange(10), torch.Generator().manual_seed(9))
    assert (task.eval()(drawn).argmax(1) == torch.arange(10)).sum() > 7


def test_loss_is_that_of_augmented_images_and_metrics_are_of_plain_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[bool, Tensor]] = []
    forward = Classifier.forward

    def watched(self: Classifier, batch: Tensor) -> Tensor:
        seen.append((self.training, batch))
        return forward(self, batch)

    monkeypatch.setattr(Classifier, "forward", watched)
    data = images()
    fit(Classifier(**TINY), data, 2, num_sanity_val_steps=0)
    batches = iter(data.train_dataloader())
    augmented = [batch for training, batch in seen if training]
    assert len(augmented) == 2
    assert not any(batch.equal(next(batches)[0]) for batch in augmented)
    plain = [batch for training, batch in seen if not training]
    assert all(found.equal(batch) for found, (batch, _) in zip(plain, data.val_dataloader(), strict=True))


def test_classes_and_channels_follow_the_data() -> None:
    task = fit(Classifier(**TINY), images(channels=3), 1)
    assert (task.hparams["num_classes"], task.hparams["channels"]) == (10, 3)
    assert task.network(torch.rand(2, 3, 16, 16)).shape == (2, 10)  # type: ignore[operator]
    with pytest.raises(InputError, match="the network was made for images in color: set channels=3"):
        fit(task, images(), 1)


def test_weights_follow_from_the_seed_alone() -> None:
    made = []
    for draws in (0, 5):
        torch.manual_seed(4)
        torch.rand(draws)
        made.append(fit(Classifier(**TINY, lr=1e-9), images(), 1).network.state_dict())
    for name, value in made[0].items():
        torch.testing.assert_close(value, made[1][name], rtol=0, atol=1e-6)


def test_schedule_ends_at_zero() -> None:
    task = fit(Classifier(**TINY, optimizer="SGD", weight_decay=1e-4, label_smoothing=0.1), images(), 3)
    (group,) = task.trainer.optimizers[0].param_groups
    assert (group["lr"], group["weight_decay"], group["nesterov"]) == (0, 1e-4, True)
    with pytest.raises(InputError, match="cosine needs to know the last step"):
        quiet_trainer(-1, max_epochs=1, enable_checkpointing=False).fit(Classifier(**TINY), images())


@pytest.mark.parametrize("source", ["fractals", "images"])
def test_resumed_training_equals_an_uninterrupted_one(source: str, tmp_path: Path) -> None:
    path = labeled_fractals(tmp_path / "labeled.safetensors")

    def data() -> Any:
        return LabeledFractalData(str(path), size=16) if source == "fractals" else images(per_class=2)

    options = {"image_size": 16, "width": 4, "schedule": "constant", "cutout": 0.2}
    whole = fit(Classifier(**options), data(), 5)
    torch.manual_seed(0)
    first = fit(Classifier(**options), data(), 3)
    first.trainer.save_checkpoint(tmp_path / "some.ckpt")
    torch.manual_seed(8)
    again = Classifier.load_from_checkpoint(tmp_path / "some.ckpt", weights_only=True)
    trainer = quiet_trainer(5, val_check_interval=5, enable_checkpointing=False)
    trainer.fit(again, data(), ckpt_path=tmp_path / "some.ckpt", weights_only=True)
    for name, value in whole.state_dict().items():
        assert again.state_dict()[name].equal(value), name


@pytest.mark.parametrize("kind", ["fractals", "images"])
def test_no_test_image_is_seen_in_training(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = labeled_fractals(tmp_path / "labeled.safetensors")
    data = LabeledFractalData(str(path), size=16) if kind == "fractals" else images()
    task = Classifier(**TINY)
    assert_test_images_are_read_last(
        monkeypatch, lambda: fit(task, data, 2), lambda: task.trainer.test(task, data)
    )


def test_plain_loaders_serve_as_well() -> None:
    data = images()
    data.setup()
    assert data.train_images is not None
    train = DataLoader(EndlessBatches(data.train_images, 8), batch_size=None)
    task = Classifier(**TINY, num_classes=10)
    trainer = quiet_trainer(2, val_check_interval=2, enable_checkpointing=False)
    trainer.fit(task, train, data.val_dataloader())
    assert trainer.global_step == 2
    with pytest.raises(InputError, match="num_classes must be set for loaders without a data module"):
        quiet_trainer(1, limit_val_batches=0).fit(Classifier(**TINY), train, data.val_dataloader())


def test_other_data_is_refused(tmp_path: Path) -> None:
    for number in range(8):
        save(tmp_path / f"{number}.png", shape(200, 0))
    needs = "needs labeled images: use datamodule=LabeledFractalData"
    for data, message in [
        (FractalData(num_fractals=2, images_per_class=1, size=16), needs),
        (TargetData(count=2, size=16), needs),
        (images(name="folder", root=str(tmp_path)), "needs labels of two or more classes, but folder has 0"),
    ]:
        with pytest.raises(InputError, match=message):
            fit(Classifier(**TINY), data, 1)
    with pytest.raises(InputError, match="the classifier has 7 classes, but digits has 10"):
        fit(Classifier(**TINY, num_classes=7), images(), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "resnet"}, "network must be lenet, convnet, a model of torchvision"),
        ({"warmup": 1.5}, "warmup must be <= 1, got 1.5"),
        ({"layer_decay": 0.0}, "layer_decay must be > 0, got 0.0"),
        ({"head_lr": 0.0}, "head_lr must be > 0, got 0.0"),
        ({"mixup": -1.0}, "mixup must be >= 0, got -1.0"),
        ({"cutmix": -1.0}, "cutmix must be >= 0, got -1.0"),
        ({"network": "lenet", "width": 8}, "width must be null for a lenet"),
        ({"image_size": 7}, "image_size must be >= 8 for a ConvNet, got 7"),
        ({"num_classes": 1}, "num_classes must be >= 2, got 1"),
        ({"lr": 0.0}, "lr must be > 0"),
        ({"optimizer": "Adagrad"}, "optimizer must be one of Adam, AdamW, SGD"),
        ({"schedule": "halving"}, "schedule must be one of constant, cosine"),
        ({"weight_decay": -1.0}, "weight_decay must be >= 0"),
        ({"label_smoothing": 1.0}, "label_smoothing must be >= 0 and < 1, got 1.0"),
        ({"rotation": 200.0}, "rotation must be <= 180, got 200.0"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Classifier(**options)


def test_next_step_is_a_test() -> None:
    assert Classifier(**TINY).next_steps() == {"test": "test --ckpt_path {best}"}
