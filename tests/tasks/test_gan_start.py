"""The initial fractals of FractalGAN from real images."""

from pathlib import Path

import pytest
import torch

from fractalgan.data import ImageData, TargetData
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import RealImages
from fractalgan.tasks import FractalGAN
from fractalgan.tasks.gan_start import representative_images

FEW = {"num_fractals": 6, "num_transforms": 6, "image_size": 16}


def test_representative_images_are_real_and_one_of_each_kind() -> None:
    kinds = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)).round()
    noise = 0.1 * torch.rand(200, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    images = (kinds[torch.arange(200) % 4] - noise).clamp(0, 1)
    chosen = representative_images(images, 4, seed=0)
    assert all((images == each).flatten(1).all(1).any() for each in chosen)
    nearest = torch.cdist(chosen.flatten(1), kinds.flatten(1)).argmin(1)
    assert sorted(nearest.tolist()) == [0, 1, 2, 3]


def test_fewer_images_than_fractals_are_taken_in_turn() -> None:
    images = torch.rand(3, 1, 16, 16)
    assert representative_images(images, 5, seed=0).equal(images[[0, 1, 2, 0, 1]])


def test_collages_are_nearer_to_the_images_than_random_fractals(tmp_path: Path) -> None:
    data = ImageData(size=16, batch_size=12)
    nearest: dict[str, float] = {}
    for start in ("anderson-farrell", "collage"):
        model = FractalGAN(**FEW, start=start, generator_lr=1e-9)
        trainer = quiet_trainer(1, val_check_interval=1, enable_checkpointing=False)
        trainer.fit(model, data)
        nearest[start] = trainer.callback_metrics["val/nearest_real"].item()
        trainer.save_checkpoint(tmp_path / f"{start}.ckpt")
    assert nearest["collage"] < 0.7 * nearest["anderson-farrell"]
    assert data.train_images is not None
    assert nearest["collage"] < 1.5 * RealImages(data.train_images[:500][0]).nearest_other


def test_resuming_searches_no_collages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, options = ImageData(size=16, batch_size=12), {"enable_checkpointing": False}
    trainer = quiet_trainer(1, **options)
    trainer.fit(FractalGAN(**FEW, start="collage"), data)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    monkeypatch.setattr("fractalgan.tasks.gan_start.collage_fractals", None)
    resumed = FractalGAN(**FEW, start="collage")
    quiet_trainer(2, **options).fit(resumed, data, ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert resumed.global_step == 2


def test_collages_need_training_images() -> None:
    with pytest.raises(InputError, match="start collage needs training images: use datamodule=ImageData"):
        quiet_trainer(1).fit(FractalGAN(**FEW, start="collage"), TargetData("digits", count=4, size=16))
