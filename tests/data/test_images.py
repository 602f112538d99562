import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from fractalgan.data import ImageData, TargetData
from fractalgan.errors import InputError
from tests.data.files import save, shape


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


def test_batches_are_grayscale_or_binary_images() -> None:
    gray, _ = next(iter(ready(binarize=None).train_dataloader()))
    assert gray.shape == (100, 1, 32, 32)
    assert gray.dtype == torch.float32
    assert gray.min() >= 0
    assert gray.max() <= 1
    assert gray.unique().numel() > 50
    binary, _ = next(iter(ready(binarize=0.5).train_dataloader()))
    assert binary.equal((gray > 0.5).float())


def test_inverted_images_are_negatives() -> None:
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
        ({"name": "imagenet"}, "name must be one of digits, .*, got 'imagenet'"),
        ({"size": 0}, "size must be >= 1, got 0"),
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"binarize": 1.5}, r"binarize must be in \[0, 1\), .*, got 1.5"),
        ({"validation_share": 0.0}, "validation_share must be > 0 and < 0.5, got 0.0"),
        ({"test_share": 0.9}, "test_share must be > 0 and < 0.5, got 0.9"),
        (
            {"name": "MNIST", "test_share": 0.3},
            "test_share has no effect with name MNIST, which has test images: remove it",
        ),
        ({"name": "folder"}, "^set root to the folder of your images$"),
        ({"root": "cats"}, '^root has no effect with name="digits": add name="folder" to learn from your'),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageData(**options)


def test_root_that_has_no_effect_names_options_on_the_command_line() -> None:
    with pytest.raises(InputError) as caught:
        ImageData(root="cats")
    assert caught.value.for_command_line == (
        "--data.root has no effect with --data.name digits: add --data.name folder to learn from your own"
        " images in it"
    )


def test_root_of_older_config_files_is_accepted() -> None:
    ImageData(root="data")
    ImageData(root=None)


def test_downloads_are_kept_in_data(
    monkeypatch: pytest.MonkeyPatch, mnist_like: Callable[[str], Path]
) -> None:
    folder = mnist_like("MNIST")
    folder.rename(folder.parent / "data")
    monkeypatch.chdir(folder.parent)
    assert len(ready(name="MNIST").test_images) == 20


@pytest.mark.parametrize("count", [1, 2, 4])
def test_too_few_images_are_counted(count: int, tmp_path: Path) -> None:
    for number in range(count):
        Image.new("L", (8, 8), 20).save(tmp_path / f"{number}.png")
    plural = "" if count == 1 else "s"
    with pytest.raises(InputError, match=rf"found {count} image{plural} in .*, need at least 5: two each"):
        ready(name="folder", root=str(tmp_path))


def test_five_images_are_enough(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / f"{number}.png", shape(200, 0))
    data = ready(name="folder", root=str(tmp_path))
    assert [len(each) for each in (data.train_images, data.validation_images, data.test_images)] == [1, 2, 2]


def test_broken_images_are_skipped_if_asked(image_folder: Path) -> None:
    (image_folder / "bars" / "broken.png").write_bytes(b"x")
    options = {"name": "folder", "root": str(image_folder), "size": 16}
    with pytest.raises(
        InputError, match=r"broken\.png is not an image file: remove it or set ignore_invalid"
    ):
        ready(**options)
    data = ready(**options, ignore_invalid=True)
    assert sum(len(each) for each in (data.train_images, data.validation_images, data.test_images)) == 24


def test_stream_of_the_data_module_follows_its_seed() -> None:
    def first(seed: int) -> torch.Tensor:
        return torch.cat([y for _, y in itertools.islice(ready(seed=seed).train_dataloader(), 3)])

    assert first(0).equal(first(0))
    assert not first(0).equal(first(1))


@pytest.mark.parametrize("exemplars", ["first", "random", "medoids", "herding"])
@pytest.mark.parametrize("binarize", [None, 0.5])
def test_few_training_images_are_those_that_are_reconstructed(exemplars: str, binarize: float | None) -> None:
    few = {"per_class": 3, "exemplars": exemplars, "size": 16, "binarize": binarize}
    few |= {"choice": 5} if exemplars in ("random", "medoids") else {}
    data, targets = ready(**few), TargetData(split="train", **few)  # type: ignore[arg-type]
    targets.setup()
    assert data.train_images is not None
    images, labels = data.train_images[:]
    assert targets.targets is not None
    assert targets.labels is not None
    assert images.equal(targets.targets)
    assert labels.equal(targets.labels)
    assert labels.bincount().tolist() == [3] * 10


def test_few_training_images_leave_the_others_for_evaluation_as_they_are() -> None:
    few, everything = ready(per_class=2), ready()
    for name in ("validation_images", "test_images"):
        assert getattr(few, name).images.equal(getattr(everything, name).images)
    images, _ = next(iter(few.train_dataloader()))
    assert len({image.numpy().tobytes() for image in images}) <= 20
    assert "train=20, validation=162, test=180" in repr(few)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"exemplars": "medoids"},
            "exemplars needs --data.per_class, the number of training images per class",
        ),
        ({"choice": 3}, "choice needs --data.per_class, the number of training images per class"),
        (
            {"per_class": 2, "exemplars": "herding", "choice": 3},
            "choice has no effect with --data.exemplars herding: remove it",
        ),
        ({"per_class": 0}, "per_class must be >= 1, got 0"),
        ({"per_class": 2, "exemplars": "last"}, "exemplars must be one of first, random, medoids, herding"),
        (
            {"per_class": 999},
            "per_class must be <= 1.., the size of the smallest class in the training set",
        ),
    ],
)
def test_wrong_choices_of_training_images_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        ready(**options)
    assert re.match(message, caught.value.for_command_line), caught.value.for_command_line


def test_few_images_of_each_class_need_labels(tmp_path: Path) -> None:
    for number in range(8):
        save(tmp_path / f"{number}.png", shape(200, 0))
    with pytest.raises(InputError, match=r"per_class needs labels, but the images in .* have none"):
        ready(name="folder", root=str(tmp_path), per_class=1)


def test_options_that_read_the_same_images(tmp_path: Path) -> None:
    assert ImageData(size=16, batch_size=3).source_options() == {}
    own = ImageData("folder", str(tmp_path), channels=1, invert=True)
    assert own.source_options() == {
        "name": "folder",
        "root": str(tmp_path),
        "channels": "1",
        "invert": "true",
    }
    assert TargetData("MNIST").source_options() == {"name": "MNIST"}
    assert TargetData("fractaldb").source_options() == {}
