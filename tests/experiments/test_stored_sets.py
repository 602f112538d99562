"""What networks are trained on in the table of labeled fractals, and which images they see when."""

from pathlib import Path
from typing import Any

import pytest
import torch

from fractalgan.data import ImageData, ImageSet
from fractalgan.errors import InputError
from fractalgan.experiments import DistillationPlan, DistillationTable, Recipe, StoredSets
from fractalgan.experiments import real_images as reading
from fractalgan.experiments import stored_sets as module
from fractalgan.experiments.distillation_plan import Precision
from fractalgan.experiments.distillation_table import jobs_of, with_jitters
from fractalgan.experiments.run_cells import CellsJob
from fractalgan.experiments.set_accuracy import SetAccuracies
from fractalgan.nn import FractalGenerator
from fractalgan.reports import distill
from fractalgan.storage import read_fractals, stored_numbers
from fractalgan.tasks import Classifier
from fractalgan.tasks.task import Task

CLASSIFIER = Recipe(2, {"width": 4})


def sets(data: dict[str, Any] | None = None, **plan: Any) -> StoredSets:
    quick = {"num_points": 20}
    return StoredSets(
        DistillationPlan(**{"images_per_class": [1], "num_transforms": 3, "seeds": 2} | plan),
        {"name": "digits", "size": 16} | (data or {}),
        reconstruction=Recipe(2, quick | {"num_sequences": 4}),
        gan=Recipe(2, quick | {"conditional": "projection"}, binarize="auto"),
        distillation=Recipe(2, {"width": 4, "networks": 2, "num_images": 20}, batch_size=50),
    )


def job(source: str, seed: int = 0, **cell: Any) -> CellsJob:
    return CellsJob(cells=[{"images_per_class": 1, "source": source, "seed": seed} | cell])


def measure(given: StoredSets, folder: Path, source: str, **cell: Any) -> dict[str, Any]:
    (row,) = SetAccuracies(given, CLASSIFIER, folder)(job(source, **cell))
    return row


@pytest.mark.parametrize("features", [0, 1])
@pytest.mark.parametrize("source", [each for each in distill.SOURCES if each not in distill.IMAGES])
def test_fractals_fill_the_storage_and_no_more(source: str, features: int, tmp_path: Path) -> None:
    given = sets(features=features)
    path = given.fractals(tmp_path, source, 1, 0)
    embedding = FractalGenerator.from_pretrained(path).embedding
    assert embedding.labels is not None
    number = given.per_class(source, 1)
    assert embedding.labels.bincount().tolist() == [number] * 10
    assert list(embedding.classes) == given.real.classes
    assert (embedding.num_transforms, embedding.features.num_features) == (3, features)
    numbers = stored_numbers(read_fractals(path))
    assert numbers <= 640 < numbers * (number + 1) / number + 10


def test_storage_is_that_of_images_as_the_data_set_has_them() -> None:
    assert [sets(num_transforms=10).per_class("exemplars", each) for each in (1, 10)] == [1, 10]
    assert sets({"size": 32}, num_transforms=10).per_class("exemplars", 10) == 10
    assert sets({"channels": 3}).numbers_of_image == 3 * 64
    # a width of points for each fractal, which follows the images, is a number that is stored
    assert sets().per_class("gan", 1) <= sets().per_class("exemplars", 1)


@pytest.mark.parametrize(
    ("images", "fractals"), [("pixels", "exemplars"), ("random-pixels", "random-exemplars")]
)
def test_pixels_are_the_images_that_are_rebuilt(images: str, fractals: str) -> None:
    given = sets({"validation_share": 0.3})  # which targets know, too
    for seed in (0, 1):
        stored = given.images(images, 1, seed, batch_size=10)
        stored.setup()
        assert stored.train_images is not None
        targets = given._targets(fractals, 1, seed)
        targets.setup()
        assert targets.targets is not None
        assert stored.train_images[torch.arange(len(targets.targets))][0].equal(targets.targets)
        assert len(stored.train_images) == 10 * given.per_class(fractals, 1)
        validation = (stored.validation_images, given.real.validation_images)
        assert len(validation[0] or []) == len(validation[1] or [])


def test_distilled_fractals_start_from_the_exemplars_of_their_seed(tmp_path: Path) -> None:
    given = sets()
    path = given.fractals(tmp_path, "distilled", 1, 1)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "distilled-1-1.safetensors",
        "exemplars-1-1.safetensors",
    ]
    start, moved = (
        read_fractals(tmp_path / f"{name}-1-1.safetensors") for name in ("exemplars", "distilled")
    )
    distance = (start.parameters["b"] - moved.parameters["b"]).abs().max()
    assert 0 < distance < 0.05  # two steps of Adam
    assert moved.provenance["task"] == "Distillation"
    assert path.name == "distilled-1-1.safetensors"


def test_nothing_is_learned_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = sets()
    row = measure(given, tmp_path, "exemplars")
    before = (tmp_path / "exemplars-1-0.safetensors").read_bytes()
    monkeypatch.setattr(module, "Reconstruction", None)
    assert measure(given, tmp_path, "exemplars") | {"seconds": 0} == row | {"seconds": 0}
    measure(given, tmp_path, "distilled")
    assert (tmp_path / "exemplars-1-0.safetensors").read_bytes() == before


# -- test images and jitter -----------------------------------------------------------------------------


@pytest.fixture
def accuracies(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Validation accuracies that classifiers get, one after the other, in place of their own."""
    given = [0.5, 0.7, 0.7, 0.6]
    left = iter(given)

    def invented(self: Classifier) -> None:
        self.log("val/error", 0.0)
        self.log("val/accuracy", next(left))

    monkeypatch.setattr(Classifier, "validation_step", lambda *_: None)
    monkeypatch.setattr(Classifier, "on_validation_epoch_end", invented)
    return given


@pytest.mark.usefixtures("accuracies")
def test_jitter_is_the_first_with_the_best_validation(tmp_path: Path) -> None:
    given = sets(jitters=[0.0, 0.02, 0.05, 0.1])
    row = measure(given, tmp_path, "random")
    assert (row["jitter"], row["validation"]) == (0.02, 0.7)


@pytest.mark.usefixtures("accuracies")
def test_later_seeds_use_the_jitter_of_the_first(tmp_path: Path) -> None:
    row = measure(sets(), tmp_path, "random", seed=1, jitter=0.05)
    assert (row["jitter"], row["validation"]) == (0.05, 0.5)  # a single training


def test_jitter_reaches_the_drawn_images(tmp_path: Path) -> None:
    given = sets()
    found = [measure(given, tmp_path, "random", seed=1, jitter=jitter) for jitter in (0.0, 0.5)]
    assert found[0]["validation"] != found[1]["validation"] or found[0]["accuracy"] != found[1]["accuracy"]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_classifiers_and_distillations_are_trained_in_the_precision_of_the_plan(
    precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def watched(self: Task) -> None:
        seen[type(self).__name__] = self.trainer.precision

    monkeypatch.setattr(Task, "on_train_start", watched)
    measure(sets(precision=precision), tmp_path, "distilled")
    # half precision is too coarse for what is rebuilt to the pixel
    assert seen == {"Reconstruction": "32-true", "Distillation": precision, "Classifier": precision}


@pytest.mark.parametrize("source", distill.SOURCES)
def test_test_images_are_read_once_after_everything_is_decided(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, events = sets(jitters=[0.0, 0.1]), []
    kept: list[ImageSet] = []  # the test images of all data sets
    setup, read, loader, validate = (
        ImageData.setup,
        ImageSet.__getitem__,
        ImageData.test_dataloader,
        Classifier.on_validation_epoch_end,
    )

    def remembered(self: ImageData, stage: str | None = None) -> None:
        setup(self, stage)
        assert self.test_images is not None
        kept.append(self.test_images)

    def watched(self: ImageSet, index: Any) -> Any:
        if any(self is each for each in kept) and "test" not in events:
            raise AssertionError("test images were read early")
        return read(self, index)

    def tested(self: ImageData) -> Any:
        events.append("test")
        return loader(self)

    def validated(self: Classifier) -> None:
        events.append("validation")
        validate(self)

    reading._read.cache_clear()
    monkeypatch.setattr(ImageData, "setup", remembered)
    monkeypatch.setattr(ImageSet, "__getitem__", watched)
    monkeypatch.setattr(ImageData, "test_dataloader", tested)
    monkeypatch.setattr(Classifier, "on_validation_epoch_end", validated)
    measure(given, tmp_path, source)
    assert kept
    assert events == ["validation"] * (1 if source in distill.IMAGES else 2) + ["test"]


# -- jobs -----------------------------------------------------------------------------------------------


def test_jobs_learn_different_fractals_and_jitters_come_first() -> None:
    plan = DistillationPlan(seeds=3)
    first, later = jobs_of(plan)
    cells = [tuple(cell.values()) for each in (*first, *later) for cell in each.cells]
    assert len(cells) == len(set(cells)) == 7 * 2 * 3
    assert {cell["seed"] for each in later for cell in each.cells} == {1, 2}
    assert all(cell["source"] not in distill.IMAGES for each in later for cell in each.cells)
    groups = [{cell["source"] for cell in each.cells} for each in first]
    assert {"exemplars", "distilled"} in groups
    assert all({"exemplars", "distilled"} == each or len(each) == 1 for each in groups)
    rows = [{"images_per_class": 1, "source": "gan", "seed": 0, "jitter": 0.02}]
    assert with_jitters(job("gan", 1), rows).cells[0]["jitter"] == 0.02
    assert with_jitters(job("pixels", 1), rows).cells[0]["jitter"] is None
    assert "jitter" not in with_jitters(job("gan", 0), rows).cells[0]


@pytest.mark.parametrize(
    ("plan", "data", "message"),
    [
        (
            {"features": 1, "num_transforms": 10},
            {},
            "of 1 image per class has no room for one fractal",
        ),
        ({"features": 3}, {}, "plan.features must be null, 0 or 1 for images in grayscale, got 3"),
        ({"features": 0}, {"channels": 3}, "plan.features must be null or 3 for images in color, got 0"),
        (
            {"images_per_class": [200]},
            {},
            "fractals per class, each of an image, but a class has only",
        ),
        ({"accelerator": "gpu"}, {}, "plan.accelerator must be cpu on a machine without a CUDA GPU"),
        ({"jitters": []}, {}, "plan.jitters must be distinct values"),
        ({"sources": ["gan", "gan"]}, {}, "plan.sources must be distinct values"),
        ({"images_per_class": [0]}, {}, r"plan.images_per_class\[0\] must be >= 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    plan: dict[str, Any], data: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        DistillationTable(sets(data, **plan), CLASSIFIER).check()
