"""What FractalGAN and Reconstruction share: predicting images of the learned fractals."""

from pathlib import Path

import pytest
import torch

from fractalgan import FractalGAN, FractalGenerator, Reconstruction, TargetData
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn.resolution import scaled
from fractalgan.tasks import FractalTask


def gan() -> FractalGAN:
    return FractalGAN(num_fractals=4, num_transforms=3, num_points=20, image_size=16)


def reconstruction() -> Reconstruction:
    return Reconstruction(num_targets=4, num_transforms=3, num_points=20, image_size=16, candidates=2)


@pytest.mark.parametrize("make", [gan, reconstruction])
def test_prediction_draws_every_fractal_in_every_batch(make) -> None:
    task: FractalTask = make()
    task.images_per_fractal = 3
    batches = quiet_trainer(1).predict(task)
    assert batches is not None
    assert len(batches) == 3
    for fractals, images in batches:
        assert fractals.tolist() == [0, 1, 2, 3]
        assert images.shape == (4, 1, 16, 16)
    assert not batches[0][1].equal(batches[1][1])
    again = quiet_trainer(1).predict(task)
    assert again is not None
    assert all(one[1].equal(other[1]) for one, other in zip(batches, again, strict=True))


def test_prediction_looks_like_the_learned_fractals() -> None:
    task = reconstruction()
    task.images_per_fractal = 50
    batches = quiet_trainer(1).predict(task)
    assert batches is not None
    means = torch.stack([images for _, images in batches]).mean(0)
    learned = task.learned_fractals()
    expected = torch.stack([learned.draw(range(4)).detach() for _ in range(50)]).mean(0)
    distances = torch.cdist(means.flatten(1), expected.flatten(1))
    assert distances.argmin(1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("make", [gan, reconstruction])
def test_prediction_may_have_another_size_and_jitter(make) -> None:
    """And the task keeps its own."""
    task: FractalTask = make()
    learned = task.learned_fractals()
    own = learned.jitter, learned.size
    task.images_per_fractal, task.prediction_size, task.prediction_jitter = 2, 24, 0.3
    batches = quiet_trainer(1).predict(task)
    assert batches is not None
    assert all(images.shape == (4, 1, 24, 24) for _, images in batches)
    drawn = task.predicted_fractals()
    assert (drawn.num_points, drawn.tau) == scaled(20, learned.tau, 16, 24)
    assert drawn.jitter == 0.3
    assert (task.learned_fractals().jitter, task.learned_fractals().size) == own


def test_an_untrained_reconstruction_of_unknown_targets_has_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="no fractals have been learned yet: set --ckpt_path"):
        quiet_trainer(1).predict(Reconstruction(image_size=16))


def test_six_hundred_images_are_drawn_by_default() -> None:
    assert len(gan().predict_dataloader()) == 600


def test_prediction_of_a_reconstruction_needs_no_data_after_a_fit() -> None:
    task = Reconstruction(num_transforms=3, num_points=20, image_size=16, num_sequences=4)
    quiet_trainer(2, limit_val_batches=0, enable_checkpointing=False).fit(task, TargetData(count=3, size=16))
    task.images_per_fractal = 2
    batches = quiet_trainer(1).predict(task)
    assert batches is not None
    assert [fractals.tolist() for fractals, _ in batches] == [[0, 1, 2]] * 2


def test_labels_of_targets_stay_with_their_fractals(tmp_path: Path) -> None:
    def task(**options: int) -> Reconstruction:
        return Reconstruction(num_transforms=3, num_points=20, image_size=16, num_sequences=4, **options)

    def data() -> TargetData:
        return TargetData(size=16, split="train", per_class=1)

    whole, path = task(candidates=2, halvings=[3]), tmp_path / "half.ckpt"
    trainer = quiet_trainer(2, limit_val_batches=0)
    trainer.fit(whole, data())
    trainer.save_checkpoint(path)
    read = FractalGenerator.from_pretrained(path).embedding
    assert read.labels is not None
    assert (read.labels.tolist(), read.classes) == (list(range(10)), tuple("0123456789"))
    loaded = Reconstruction.load_from_checkpoint(path, weights_only=True).learned_fractals().embedding
    assert loaded.labels is not None
    assert (loaded.labels.tolist(), loaded.classes) == (list(range(10)), tuple("0123456789"))
    resumed = task(candidates=2, halvings=[3])
    quiet_trainer(3, limit_val_batches=0).fit(resumed, data(), ckpt_path=path, weights_only=True)
    assert resumed.learned_fractals().embedding.labels is not None


def test_checkpoints_of_fractals_without_labels_stay_without(tmp_path: Path) -> None:
    task, path = Reconstruction(num_transforms=3, num_points=20, image_size=16), tmp_path / "plain.ckpt"
    trainer = quiet_trainer(1, limit_val_batches=0)
    trainer.fit(task, TargetData("fractaldb", size=16, count=3))
    trainer.save_checkpoint(path)
    assert not [name for name in task.state_dict() if "labels" in name]
    loaded = Reconstruction.load_from_checkpoint(path, weights_only=True)
    assert loaded.learned_fractals().embedding.labels is None
