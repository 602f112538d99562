"""Pretraining: a LeNet tells fractals apart."""

import pytest
import torch
from torch.utils.data import DataLoader

from fractalgan import FractalData, ImageData, Pretraining
from fractalgan.data import EndlessBatches
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer


def data(**options) -> FractalData:
    given = {"num_fractals": 4, "num_transforms": 3, "images_per_class": 20, "size": 16, "batch_size": 32}
    return FractalData(**given | options)


def test_pretraining_learns_to_classify_fractals() -> None:
    task, images = Pretraining(num_fractals=4, image_size=16), data(jitter=0.05)
    trainer = quiet_trainer(60, val_check_interval=60, enable_checkpointing=False)
    (before,) = trainer.validate(task, images, verbose=False)
    trainer.fit(task, images)
    after = trainer.callback_metrics
    assert before["val/accuracy"] < 0.6
    assert after["val/accuracy"] > 0.85
    assert after["val/loss"] < 0.5 * before["val/loss"]


def test_cosine_schedule_ends_at_zero() -> None:
    task = Pretraining(num_fractals=4, image_size=16, optimizer="SGD", schedule="cosine", lr=0.1)
    trainer = quiet_trainer(4, limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(task, data())
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0
    assert trainer.optimizers[0].param_groups[0]["nesterov"] is True


def test_plain_loaders_serve_as_well() -> None:
    images = data()
    images.setup()
    assert images.train_images is not None
    batches = DataLoader(EndlessBatches(images.train_images, 8), batch_size=None)
    trainer = quiet_trainer(2, val_check_interval=2, enable_checkpointing=False)
    trainer.fit(Pretraining(num_fractals=4, image_size=16), batches, images.val_dataloader())
    assert trainer.global_step == 2


def test_real_images_are_refused() -> None:
    with pytest.raises(InputError, match="needs images of fractals: use datamodule=FractalData"):
        quiet_trainer(1, enable_checkpointing=False).fit(Pretraining(image_size=16), ImageData(size=16))


def test_cosine_without_an_end_is_refused() -> None:
    task = Pretraining(num_fractals=4, image_size=16, schedule="cosine")
    with pytest.raises(
        InputError, match=r"schedule cosine needs to know the last step: set Trainer\(max_ste"
    ):
        quiet_trainer(-1, max_epochs=1, enable_checkpointing=False).fit(task, data())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_fractals": 1}, "num_fractals must be >= 2, got 1"),
        ({"lr": 0.0}, "lr must be > 0"),
        ({"weight_decay": -1.0}, "weight_decay must be >= 0"),
        ({"optimizer": "Adagrad"}, "optimizer must be one of Adam, AdamW, SGD"),
        ({"schedule": "halving"}, "schedule must be one of constant, cosine"),
        ({"image_size": 8}, "image_size must be >= 16 for a LeNet, got 8"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Pretraining(**options)


def test_next_step_is_a_probe_of_the_last_checkpoint() -> None:
    steps = Pretraining(image_size=16).next_steps()
    assert steps == {
        "probe": "fit --config probe.yaml --model.backbone {last} --data.size 16",
        "fine-tune": "fit --config finetuning.yaml --model.backbone {last} --data.size 16",
    }
    assert torch.is_tensor(Pretraining(num_fractals=3, image_size=16)(torch.zeros(2, 1, 16, 16)))
