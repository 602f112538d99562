"""InverseEncoder: learns to predict fractals, and its prediction is where a reconstruction begins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from fractalgan import ImageData, InverseEncoder, RandomFractalData, Reconstruction, TargetData
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from tests.conftest import TINY_ENCODER, TINY_RECONSTRUCTION

Call = Callable[..., int]
CONFIG = Path(__file__).parents[2] / "configs/inverse_encoder.yaml"
FIT = ["fit", "--model=fractalgan.Reconstruction", "--data=fractalgan.TargetData", *TINY_RECONSTRUCTION]
SMALL: dict[str, Any] = {"num_transforms": 3, "num_points": 30, "num_sequences": 4, "image_size": 16}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of an encoder after one step."""
    trainer = quiet_trainer(1, limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(
        InverseEncoder(num_transforms=3, image_size=16),
        RandomFractalData(num_fractals=8, num_transforms=3, size=16, batch_size=4),
    )
    path = tmp_path_factory.mktemp("encoder") / "encoder.ckpt"
    trainer.save_checkpoint(path)
    return path


def validated(**options: Any) -> tuple[Reconstruction, TargetData]:
    """A reconstruction before its first step."""
    data, task = TargetData(count=4, size=16), Reconstruction(**SMALL | options)
    quiet_trainer(1, enable_checkpointing=False).validate(task, data, verbose=False)
    return task, data


def test_it_learns_to_predict_fractals() -> None:
    """Its error falls to a fifth of a constant prediction's at least; for three seeds it fell to 0.06."""
    data = RandomFractalData(num_fractals=16, num_transforms=2, size=16, batch_size=16)
    task = InverseEncoder(num_transforms=2, image_size=16)
    quiet_trainer(60, limit_val_batches=0, enable_checkpointing=False).fit(task, data)
    images, transforms = next(iter(data.train_dataloader()))  # other images of the same fractals
    predicted = task.predict(images)
    found = torch.cat([predicted.A.flatten(2), predicted.b], -1)
    mean = transforms.mean(0).expand_as(transforms)
    assert F.mse_loss(found, transforms) < 0.2 * F.mse_loss(mean, transforms)


def test_prediction_does_not_depend_on_the_other_images() -> None:
    task, images = InverseEncoder(num_transforms=3, image_size=16), torch.rand(5, 1, 16, 16)
    alone, among = task.predict(images[2:3]), task.predict(images)
    assert alone.A.equal(among.A[2:3])
    assert alone.b.equal(among.b[2:3])


def test_reconstruction_begins_at_the_prediction(encoder: Path) -> None:
    task, data = validated(start=str(encoder), matrices="raw", candidates=2)
    loaded = InverseEncoder.load_from_checkpoint(encoder, weights_only=True)
    assert data.targets is not None
    initial = task.fractals.generator.embedding()
    assert initial.A[::2].equal(loaded.predict(data.targets).A)
    assert not initial.A[1::2].equal(initial.A[::2])


def test_wrong_starts_are_refused(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"encoder\.ckpt was trained with window 2\.5, not 3\.0"):
        validated(start=str(encoder), window=3.0)
    task, _ = validated()
    task.trainer.save_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(
        InputError, match=r"other\.ckpt is a checkpoint of Reconstruction, not of FractalAutoencoder or"
    ):
        validated(start=str(tmp_path / "other.ckpt"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            RandomFractalData(num_fractals=4, num_transforms=4, size=16),
            "num_transforms must be 3, as num_transforms, got 4",
        ),
        (ImageData(size=16), "needs random fractals: use datamodule=RandomFractalData"),
    ],
)
def test_other_data_is_refused(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quiet_trainer(1).fit(InverseEncoder(num_transforms=3, image_size=16), data)


def test_next_step_names_what_differs_from_its_defaults() -> None:
    steps = InverseEncoder(num_transforms=3, image_size=16, window=2.0).next_steps()
    given = "--data.size 16 --model.num_transforms 3 --model.window 2.0"
    assert steps == {"reconstruct": f"fit --config reconstruction_32px.yaml --model.start {{best}} {given}"}


# -- on the command line -----------------------------------------------------------------------


def test_reconstruction_is_resumed_without_its_encoder(
    call: Call, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path("encoder.ckpt")
    copy.write_bytes(encoder.read_bytes())
    assert call(*FIT, f"--model.start={copy}", "--run=halves", "--trainer.max_steps=3") == 0
    copy.unlink()
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt", "--trainer.max_steps=6") == 0
    assert call(*FIT, f"--model.start={copy}") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("fractalgan: error: ")
    assert "encoder.ckpt" in last
    assert not Path("runs").exists() or not any(Path("runs").iterdir())


def test_encoder_is_followed_by_a_reconstruction(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--trainer.max_steps=1", "--trainer.val_check_interval=1"]
    assert call("fit", f"--config={CONFIG}", *TINY_ENCODER, *few) == 0
    (path,) = Path("runs").glob("encoder-*/checkpoints/best.ckpt")
    assert f"reconstruction_32px.yaml --model.start {path} --data.size 16" in capsys.readouterr().out
    assert call(*FIT, f"--model.start={path}", *few) == 0
