"""InverseEncoder: learns to guess systems, and its guess is where a fit begins."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from fractalgan import InverseEncoder, Reconstruction, SystemData, TargetData
from fractalgan.measure import quiet_trainer
from tests.conftest import TINY_ENCODER, TINY_RECONSTRUCTION

Call = Callable[..., int]
CONFIG = Path(__file__).parents[2] / "configs/inverse_encoder.yaml"
FIT = ["fit", "--model=fractalgan.Reconstruction", "--data=fractalgan.TargetData", *TINY_RECONSTRUCTION]


def test_it_learns_to_guess_systems() -> None:
    data = SystemData(num_systems=64, num_transforms=2, size=16, batch_size=32)
    task = InverseEncoder(num_transforms=2, image_size=16)
    quiet_trainer(120, limit_val_batches=0, enable_checkpointing=False).fit(task, data)
    images, maps = next(iter(data.train_dataloader()))  # other images of the same systems
    guessed = task.guess(images)
    found = torch.cat([guessed.A.flatten(2), guessed.b], -1)
    assert F.mse_loss(found, maps) < 0.3 * F.mse_loss(maps.mean(0).expand_as(maps), maps)


def test_guess_does_not_depend_on_the_other_images() -> None:
    task, images = InverseEncoder(num_transforms=3, image_size=16), torch.rand(5, 1, 16, 16)
    alone, among = task.guess(images[2:3]), task.guess(images)
    assert alone.A.equal(among.A[2:3])
    assert alone.b.equal(among.b[2:3])


def test_fit_begins_at_the_guess(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", f"--config={CONFIG}", *TINY_ENCODER) == 0
    path = "runs/encoder-systems-1/checkpoints/best.ckpt"
    assert f"reconstruction.yaml --model.start {path} --data.size 16" in capsys.readouterr().out
    data = TargetData(count=4, size=16)
    options = {"num_transforms": 3, "num_points": 30, "num_sequences": 4, "image_size": 16, "window": 2.5}
    task = Reconstruction(**options, start=path, matrices="raw", candidates=2)  # type: ignore[arg-type]
    quiet_trainer(1, enable_checkpointing=False).validate(task, data, verbose=False)
    encoder = InverseEncoder.load_from_checkpoint(path, weights_only=True)
    assert data.targets is not None
    begun = task.generator.embedding()
    assert begun.A[::2].equal(encoder.guess(data.targets).A)
    assert not begun.A[1::2].equal(begun.A[::2])

    start = f"--model.start={path}"
    assert call(*FIT, start, "--run=whole") == 0
    assert call(*FIT, start, "--run=halves", "--trainer.max_steps=3") == 0
    Path(path).unlink()
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt", "--trainer.max_steps=6") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.start=nowhere.ckpt"], "no checkpoint nowhere.ckpt"),
        (
            ["--model.start=random"],
            "start: want anderson-farrell, fractaldb, even or a .ckpt of InverseEncoder",
        ),
        (["--model.start=whole/checkpoints/last.ckpt"], "a checkpoint of Reconstruction, which guesses no"),
        (
            ["--model.start=encoder/checkpoints/last.ckpt", "--model.window=3"],
            "trained with window 2.5, not 3.0",
        ),
    ],
)
def test_wrong_starts_are_one_line(
    call: Call, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "whole/" in options[0]:
        assert call(*FIT, "--run=whole") == 0
    if "encoder/" in options[0]:
        assert call("fit", f"--config={CONFIG}", *TINY_ENCODER, "--run=encoder") == 0
    assert call(*FIT, *options) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("fractalgan: error: ")
    assert message in last
    assert not Path("runs").exists() or not any(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data.num_transforms=4"], "model.num_transforms is 3: give the data as much"),
        (["--data.size=7"], "size: want 8 or more, got 7"),
        (["--data.num_systems=0"], "num_systems: want 1 or more, got 0"),
        (["--data=fractalgan.TargetData"], "learns from random systems: give --data fractalgan.SystemData"),
    ],
)
def test_bad_input_is_one_line(
    call: Call, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "TargetData" in options[0]:
        given = ["fit", "--model=fractalgan.InverseEncoder", "--trainer.accelerator=cpu"]
    else:
        given = ["fit", f"--config={CONFIG}", *TINY_ENCODER]
    assert call(*given, *options) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]
