"""The initial fractals of FractalGAN from real images."""

from pathlib import Path

import pytest

from fractalgan.data import ImageData
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import RealImages
from fractalgan.tasks import FractalGAN

FEW = {"num_fractals": 6, "num_transforms": 6, "image_size": 16}


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
