"""`predict`: data sets of drawn images, as others read them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import webdataset
import yaml
from PIL import Image
from torchvision.datasets import ImageFolder

from fractalgan.callbacks.image_writer import folder_names
from tests.cli.errors import only_error
from tests.conftest import TINY

# webdataset leaves closing its files to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Call = Callable[..., int]
LABELED = ["--config=gan_labeled.yaml", *TINY, "--model.num_fractals=20"]


@pytest.fixture
def labeled(call: Call) -> Path:
    """The run of a GAN with labels: two fractals of each digit."""
    assert call("fit", *LABELED, "--run=run") == 0
    return Path("run/predictions")


def samples(folder: Path) -> list[dict]:
    shards = sorted(map(str, folder.glob("*.tar")))
    return list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))


def test_folders_are_classes_and_a_card_says_what_they_are(labeled: Path, call: Call) -> None:
    assert call("predict", "--run=run", "--ckpt_path=last", "--images=3", "--labels=class") == 0
    images = ImageFolder(str(labeled))
    assert images.classes == [str(digit) for digit in range(10)]
    assert torch.tensor(images.targets).bincount().tolist() == [6] * 10
    card = (labeled / "README.md").read_text()
    assert yaml.safe_load(card.split("---")[1])["license"] == "mit"
    for text in ("60 images of 20 fractals, 3 of each, 16 x 16 pixels, in grayscale", "| name | digits |"):
        assert text in card
    assert call("fit", *TINY, "--data.name=folder", f"--data.root={labeled}", "--run=again") == 0


def test_shards_hold_the_same_images(labeled: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fractalgan.callbacks.image_writer.SHARD_IMAGES", 25)
    predict = ["predict", "--run=run", "--ckpt_path=last", "--images=3", "--labels=class"]
    assert call(*predict) == 0
    labeled.rename("folders")
    assert call(*predict, "--format=webdataset") == 0
    assert [path.name for path in sorted(labeled.glob("*.tar"))] == [f"images-00000{k}.tar" for k in range(3)]
    found = samples(labeled)
    assert len(found) == 60
    for sample in found:
        about = sample["json"]
        path = Path("folders", about["class"], f"{about['fractal']:05d}_{about['number']:05d}.png")
        assert int(sample["cls"]) == int(about["class"])
        with Image.open(path) as image:
            assert image.convert("RGB").tobytes() == sample["png"].convert("RGB").tobytes()
    before = {path.name: path.read_bytes() for path in labeled.glob("*.tar")}
    labeled.rename("once")
    assert call(*predict, "--format=webdataset") == 0
    assert {path.name: path.read_bytes() for path in labeled.glob("*.tar")} == before


def test_pseudo_classes_are_fractals(labeled: Path, call: Call) -> None:
    assert call("predict", "--run=run", "--ckpt_path=last", "--images=2", "--format=webdataset") == 0
    found = samples(labeled)
    assert sorted(int(sample["cls"]) for sample in found) == sorted([*range(20)] * 2)
    assert "An image is labeled with its fractal, a pseudo-class" in (labeled / "README.md").read_text()


def test_images_of_another_size_and_jitter(
    labeled: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    predict = ["predict", "--run=run", "--ckpt_path=last", "--images=2"]
    assert call(*predict, "--jitter=0") == 0
    assert "learn:" in capsys.readouterr().out
    labeled.rename("still")
    assert call(*predict, "--jitter=0.5", "--size=24") == 0
    assert f"fit --data.name folder --data.root {labeled} --data.size 24" in capsys.readouterr().out
    with Image.open(labeled / "000/00000.png") as image:
        assert image.size == (24, 24)
    card = (labeled / "README.md").read_text()
    for text in ("40 images of 20 fractals, 2 of each, 24 x 24 pixels", "| jitter | 0.5 |"):
        assert text in card
    labeled.rename("moved")
    assert call(*predict, "--jitter=-1") == 2
    assert "--jitter: must be >= 0, got -1" in only_error(capsys)
    assert call(*predict, "--size=100000") == 2
    assert "--size must be" in only_error(capsys)
    assert not labeled.exists()


def test_large_images_are_drawn_in_more_batches(
    labeled: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fractalgan.tasks.fractal_task.BATCH_VALUES", 7 * 16 * 16 + 5)
    predict = ["predict", "--run=run", "--ckpt_path=last", "--images=3"]
    assert call(*predict) == 0
    found = sorted(str(path.relative_to(labeled)) for path in labeled.rglob("*.png"))
    assert found == [f"{fractal:03d}/{number:05d}.png" for fractal in range(20) for number in range(3)]
    assert len({path.read_bytes() for path in labeled.glob("007/*.png")}) == 3
    assert "60 images of 20 fractals, 3 of each" in (labeled / "README.md").read_text()


def test_folders_have_safe_and_distinct_names() -> None:
    assert folder_names(["T-shirt/top", "T-shirt:top", "..", "", "Bag (1.5)"]) == [
        "0_T-shirt_top",
        "1_T-shirt_top",
        "2__",
        "3__",
        "Bag (1.5)",
    ]


def test_classes_of_fractals_without_labels_are_an_error(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("fit", *TINY, "--run=run") == 0
    capsys.readouterr()
    assert call("predict", "--run=run", "--ckpt_path=last", "--labels=class") == 2
    assert "the fractals of the checkpoint have no labels" in only_error(capsys)
    assert not Path("run/predictions").exists()
    assert call("predict", "--run=run", "--ckpt_path=last", "--format=tar") == 2
    assert "--format" in only_error(capsys)
