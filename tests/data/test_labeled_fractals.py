"""Images of labeled fractals for training, and real images for the rest."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fractalgan.data import FractalData, ImageData, LabeledFractalData
from fractalgan.errors import InputError
from tests.data.files import labeled_fractals, save, shape


@pytest.fixture
def fractals(tmp_path: Path) -> str:
    return str(labeled_fractals(tmp_path / "labeled.safetensors"))


def ready(fractals: str, **options: object) -> LabeledFractalData:
    data = LabeledFractalData(fractals, **{"size": 16, "batch_size": 8} | options)  # type: ignore[arg-type]
    data.prepare_data()
    data.setup("fit")
    return data


def first_batches(data: LabeledFractalData | FractalData, count: int) -> list[tuple[Tensor, Tensor]]:
    return list(itertools.islice(data.train_dataloader(), count))


def test_training_images_are_fresh_and_of_every_fractal(fractals: str) -> None:
    batches = first_batches(ready(fractals), 5)  # 40 images of 20 fractals
    images, labels = (torch.cat(each) for each in zip(*batches, strict=True))
    assert images.shape == (40, 1, 16, 16)
    assert [half.bincount().tolist() for half in labels.chunk(2)] == [[2] * 10] * 2
    assert len({image.numpy().tobytes() for image in images}) == 40


def test_training_images_are_those_of_fractal_data(fractals: str) -> None:
    options = {"size": 16, "batch_size": 8, "seed": 3, "jitter": 0.1, "num_points": 50}
    plain = FractalData(
        fractals, num_fractals=None, labels="class", images_per_class=1, fresh=True, **options
    )
    plain.setup("fit")
    pairs = zip(
        first_batches(ready(fractals, **options), 4),
        first_batches(plain, 4),
        strict=True,
    )
    assert all(a.equal(c) and b.equal(d) for (a, b), (c, d) in pairs)


def test_images_do_not_depend_on_the_number_of_workers(fractals: str) -> None:
    alone, helped = (first_batches(ready(fractals, num_workers=workers), 3) for workers in (0, 2))
    assert all(a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(alone, helped, strict=True))


def test_validation_and_test_images_are_real(fractals: str) -> None:
    data, real = ready(fractals), ImageData(size=16, batch_size=8, binarize=None)
    real.setup("fit")
    assert data.classes == real.classes == list("0123456789")
    for name in ("val_dataloader", "test_dataloader"):
        found, expected = (list(getattr(each, name)()) for each in (data, real))
        assert all(a.equal(c) and b.equal(d) for (a, b), (c, d) in zip(found, expected, strict=True))
    images, _ = next(iter(data.val_dataloader()))
    assert images.unique().numel() > 20  # gray levels
    assert data.sample(12).shape == (12, 1, 16, 16)
    assert repr(data).endswith("num_fractals=20, name='digits', size=16, batch_size=8, classes=10)")


def test_fractals_are_drawn_as_they_were_learned(fractals: str) -> None:
    generator = ready(fractals).drawn.generator
    assert (generator.jitter, generator.num_points) == (0.05, 30)
    assert ready(fractals, jitter=0.2, sequences="even").drawn.generator.jitter == 0.2


def test_own_images(tmp_path: Path, image_folder: Path) -> None:
    data = ready(
        str(labeled_fractals(tmp_path / "mine.json", ["bars", "squares"])),
        name="folder",
        root=str(image_folder),
    )
    assert data.classes == ["bars", "squares"]
    assert data.source_options() == {"name": "folder", "root": str(image_folder)}


def test_colors(tmp_path: Path) -> None:
    colored = str(labeled_fractals(tmp_path / "colored.safetensors", features=3))
    data = ready(colored, channels=3)
    assert data.channels == 3
    assert first_batches(data, 1)[0][0].shape == (8, 3, 16, 16)
    with pytest.raises(InputError, match=r"digits are in grayscale, but the fractals of .* draw .* in color"):
        ready(colored)


def unlabeled_folder(folder: Path) -> dict[str, str]:
    for number in range(8):
        save(folder / f"{number}.png", shape(200, 0))
    return {"name": "folder", "root": str(folder)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda _: {"fractals": None}, "set --data.fractals to labeled fractals: learn some with"),
        (lambda _: {"fractals": "random"}, "set --data.fractals to labeled fractals: learn some with"),
        (lambda _: {"fractals": "digits"}, "the fractals of digits have no labels: learn some with"),
        (lambda _: {"fractals": "none.json"}, "there are no fractals"),
        (
            lambda folder: {"fractals": str(labeled_fractals(folder / "a.json", ["cat", "dog"]))},
            r"are 2 \(cat, dog\), but those of digits are 10 \(0, 1, 2, ...\): set --data.name, and",
        ),
        (
            lambda folder: unlabeled_folder(folder / "flat"),
            "the images in folder have no labels: put those of each class into a sub-folder",
        ),
        (lambda _: {"jitter": -1.0}, "jitter must be >= 0, got -1.0"),
        (lambda _: {"size": 0}, "size must be >= 1, got 0"),
        (lambda _: {"root": "mine"}, "--data.root has no effect with --data.name digits"),
    ],
)
def test_wrong_options_are_named(
    given: Callable[[Path], dict], message: str, fractals: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        ready(**{"fractals": fractals} | given(tmp_path))
    assert re.search(message, caught.value.for_command_line), caught.value.for_command_line
