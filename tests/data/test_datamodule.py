"""What all datamodules have in common: an order of calls, sample images, and a description."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fractalgan.data import DataModule, FractalData, ImageData, RandomFractalData, TargetData
from tests.data.files import save, shape

SMALL = {"num_transforms": 3, "size": 16}

MAKE: dict[str, Callable[[], DataModule]] = {
    "ImageData": lambda: ImageData(size=16),
    "TargetData": lambda: TargetData(size=16, count=12),
    "FractalData": lambda: FractalData(num_fractals=3, images_per_class=10, **SMALL),
    "RandomFractalData": lambda: RandomFractalData(num_fractals=40, **SMALL),
}


@pytest.fixture(params=MAKE)
def data(request: pytest.FixtureRequest) -> DataModule:
    return MAKE[request.param]()


def test_error_names_what_to_call_first(data: DataModule) -> None:
    calls = [data.train_dataloader, data.val_dataloader, lambda: data.sample(1)]
    if isinstance(data, ImageData):
        calls.append(data.test_dataloader)
    for call in calls:
        with pytest.raises(RuntimeError) as caught:
            call()
        assert str(caught.value) == (
            f"{type(data).__name__} has no images yet: call prepare_data() and setup() first,"
            " or pass the datamodule to a Trainer"
        )


def test_samples_are_the_same_at_every_call_and_fill_up(data: DataModule) -> None:
    data.setup()
    everything = data.sample(10_000)
    assert everything.shape[1:] == (1, 16, 16)
    assert everything.dtype == torch.float32
    assert 0 <= everything.min() < everything.max() <= 1
    for count in (1, 5, len(everything)):
        assert data.sample(count).equal(everything[:count])


@pytest.mark.parametrize(
    ("kind", "number"),
    [("ImageData", 1797 - 180), ("TargetData", 12), ("FractalData", 33), ("RandomFractalData", 42)],
)
def test_samples_are_as_many_as_there_are(kind: str, number: int) -> None:
    data = MAKE[kind]()
    data.setup()
    assert len(data.sample(10_000)) == number


def test_samples_begin_with_validation_images(data: DataModule) -> None:
    data.setup()
    first, _ = next(iter(data.val_dataloader()))
    assert data.sample(len(first)).equal(first)


def test_few_validation_images_are_followed_by_training_images(image_folder: Path) -> None:
    data = ImageData("folder", str(image_folder), size=16)
    data.setup()
    assert data.validation_images is not None
    assert data.train_images is not None
    assert len(data.validation_images) == 2
    sample = data.sample(7)
    assert sample[2:].equal(data.train_images[torch.arange(5)][0])
    assert set(sample.unique().tolist()) == {0.0, 1.0}  # prepared as for training


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (
            "ImageData",
            "ImageData(name='digits', size=16, batch_size=100, not set up)",
            "ImageData(name='digits', size=16, batch_size=100, train=1455, validation=162, test=180,"
            " classes=10, channels=1, invert=False)",
        ),
        (
            "TargetData",
            "TargetData(name='digits', split='test', count=12, size=16, not set up)",
            "TargetData(name='digits', split='test', count=12, size=16, targets=12, channels=1,"
            " invert=False)",
        ),
        (
            "FractalData",
            "FractalData(fractals='random', num_fractals=3, images_per_class=10, fresh=False, size=16,"
            " batch_size=128, num_points=75, tau=1.0, not set up)",
            "FractalData(fractals='random', num_fractals=3, images_per_class=10, fresh=False, size=16,"
            " batch_size=128, num_points=75, tau=1.0)",
        ),
        (
            "RandomFractalData",
            "RandomFractalData(num_fractals=40, num_transforms=3, size=16, window=2.5, batch_size=100,"
            " not set up)",
            "RandomFractalData(num_fractals=40, num_transforms=3, size=16, window=2.5, batch_size=100)",
        ),
    ],
)
def test_descriptions_are_one_line(kind: str, before: str, after: str) -> None:
    data = MAKE[kind]()
    assert repr(data) == before
    data.setup()
    assert repr(data) == str(data) == after


def test_descriptions_name_the_users_own_files(tmp_path: Path, image_folder: Path) -> None:
    assert f"root={str(image_folder)!r}" in repr(ImageData("folder", str(image_folder)))
    path = str(save(tmp_path / "cat.png", shape(20, 240)))
    data = TargetData(path=path)
    data.setup()
    assert repr(data) == f"TargetData(path={path!r}, size=32, targets=1, channels=1, invert=True)"
