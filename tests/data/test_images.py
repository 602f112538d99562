import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from fractalgan.data import ImageData
from fractalgan.errors import InputError


def ready(**options) -> ImageData:
    data = ImageData(**options)
    data.prepare_data()
    data.setup("fit")
    return data


def test_digits_are_split_into_three_parts_of_1797() -> None:
    data = ready()
    parts = [data.train_images, data.validation_images, data.test_images]
    assert [len(part) for part in parts] == [1455, 162, 180]
    assert data.classes == list("0123456789")
    seen = [image.numpy().tobytes() for part in parts for image in part.images]
    assert len(set(seen)) > 1700  # a few digits are equal; parts that overlapped would make it many


def test_split_does_not_follow_the_seed() -> None:
    first, second = ready(seed=0), ready(seed=1)
    assert first.test_images.images.equal(second.test_images.images)
    assert first.validation_images.labels.equal(second.validation_images.labels)


def test_batches_are_grey_or_binary_images() -> None:
    grey, _ = next(iter(ready(binarize=None).train_dataloader()))
    assert grey.shape == (100, 1, 32, 32)
    assert grey.dtype == torch.float32
    assert grey.min() >= 0
    assert grey.max() <= 1
    assert grey.unique().numel() > 50
    binary, _ = next(iter(ready(binarize=0.5).train_dataloader()))
    assert binary.equal((grey > 0.5).float())


def test_inverted_images_are_turned_round() -> None:
    plain, _ = next(iter(ready(binarize=None).val_dataloader()))
    inverted, _ = next(iter(ready(binarize=None, invert=True).val_dataloader()))
    torch.testing.assert_close(inverted, 1 - plain)


def test_validation_and_test_images_come_in_order_and_once() -> None:
    data = ready(batch_size=64)
    for loader, part in [
        (data.val_dataloader(), data.validation_images),
        (data.test_dataloader(), data.test_images),
    ]:
        labels = torch.cat([labels for _, labels in loader])
        assert labels.equal(part.labels)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_mnist_family_is_read_from_its_own_files(name: str, mnist_like: Callable[[str], Path]) -> None:
    data = ready(name=name, root=str(mnist_like(name)), size=28, binarize=None)
    assert [len(p) for p in (data.train_images, data.validation_images, data.test_images)] == [36, 4, 20]
    assert len(data.classes) == 10
    assert data.test_images.labels.tolist() == [*range(10), *range(10)]


def test_packed_files_put_by_hand_are_named_where_a_download_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(InputError, match=r"cannot be downloaded .*train-images-idx3-ubyte.gz.*MNIST/raw"):
        ready(name="MNIST", root=str(tmp_path))


def test_damaged_files_are_named(mnist_like: Callable[[str], Path]) -> None:
    root = mnist_like("MNIST")
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="cannot be read"):
        ready(name="MNIST", root=str(root))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "imagenet"}, "no data set 'imagenet': choose one of digits"),
        ({"size": 0}, "size: want 1 or more"),
        ({"batch_size": 0}, "batch_size: want 1 or more"),
        ({"binarize": 1.5}, "binarize"),
        ({"validation_share": 0.0}, "validation_share"),
        ({"test_share": 0.9}, "test_share"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageData(**options)


def test_bright_and_black_images_are_remarked_on(said: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    ready(invert=True)
    assert "--data.invert false turns them round" in said.text
    for number in range(9):
        Image.new("L", (8, 8), 20).save(tmp_path / f"{number}.png")
    ready(name="folder", root=str(tmp_path))
    assert "is --data.binarize too high" in said.text


def test_stream_of_the_data_module_follows_its_seed() -> None:
    def first(seed: int) -> torch.Tensor:
        return torch.cat([y for _, y in itertools.islice(ready(seed=seed).train_dataloader(), 3)])

    assert first(0).equal(first(0))
    assert not first(0).equal(first(1))
