"""The table of labeled fractals from cells with known statistics."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fractalgan.reports import distill, write_page, write_summary
from fractalgan.storage import RunFolder, write_csv

ACCURACIES = {"distilled": [0.95, 0.96, 0.94], "pixels": [0.90, 0.93, 0.92], "random": [0.1, 0.12, 0.11]}
STORED = {"distilled": (13, 7807, 0.02), "pixels": (13, 101_920, None), "random": (13, 7807, 0.0)}


def rows(images: tuple[int, ...] = (1, 10)) -> list[dict[str, Any]]:
    return [
        dict(zip(distill.COLUMNS, (source, each, seed, *STORED[source], 0.9, accuracy), strict=True))
        for each in images
        for source in ("random", "pixels", "distilled")  # in any order
        for seed, accuracy in enumerate(ACCURACIES[source])
    ]


def summary(data: str = "MNIST", images: tuple[int, ...] = (1, 10)) -> dict[str, Any]:
    return distill.summarize(rows(images), data, "ConvNet of width 64", 7840)


def test_means_and_std_by_storage_and_source() -> None:
    found = summary()["images_per_class"]
    assert list(found) == ["1", "10"]
    assert (found["1"]["numbers"], found["10"]["numbers"]) == (7840, 78_400)
    assert list(found["1"]["sources"]) == ["distilled", "random", "pixels"]
    each = found["10"]["sources"]["distilled"]
    assert each["mean"] == pytest.approx(np.mean(ACCURACIES["distilled"]))
    assert each["std"] == pytest.approx(np.std(ACCURACIES["distilled"], ddof=1))
    assert (each["seeds"], each["per_class"], each["numbers"], each["jitter"]) == (3, 13, 7807, 0.02)


@pytest.mark.parametrize(
    ("data", "images", "methods"),
    [
        ("MNIST", 1, ["DC", "DSA", "FreD"]),
        ("MNIST", 10, ["DC", "DSA", "IDC", "FreD"]),
        ("FashionMNIST", 10, ["DC", "DSA", "IDC", "FreD"]),
        ("MNIST", 2, []),
        ("KMNIST", 1, []),
        ("digits", 1, []),
    ],
)
def test_published_figures_are_of_the_same_data_and_storage(
    data: str, images: int, methods: list[str]
) -> None:
    text = distill.as_markdown(summary(data, (images,)))
    for method in ("DC", "DSA", "IDC", "FreD"):
        assert (f"| {method}, width 128 (published) |" in text) == (method in methods)


def test_table_says_what_is_stored() -> None:
    text = distill.as_markdown(summary(images=(1,)))
    assert (
        "Test accuracy on MNIST, mean ± std over seeds: ConvNet of width 64, trained on a stored set." in text
    )
    assert "### 1 image per class: 7,840 numbers\n" in text
    assert "| distilled | 13 fractals | 7,807 | 0.02 | 3 | 95.0 ± 1.0 |" in text
    assert "| pixels | 13 images | 101,920 |  | 3 | 91.7 ± 1.5 |" in text
    assert "| DC, width 128 (published) | 1 image | 7,840 |  |  | 91.7 |" in text
    assert text.endswith(
        "- distilled: fractals of exemplars, moved by a distillation\n"
        "- random: random fractals with random labels, at chance\n"
        "- pixels: as many images, the medoids themselves\n"
    )


def test_each_source_has_its_number_of_seeds() -> None:
    fewer = [row for row in rows((1,)) if row["source"] != "distilled" or row["seed"] == 0]
    text = distill.as_markdown(distill.summarize(fewer, "MNIST", "LeNet", 7840))
    assert "| distilled | 13 fractals | 7,807 | 0.02 | 1 | 95.0 |" in text
    assert "| pixels | 13 images | 101,920 |  | 3 | 91.7 ± 1.5 |" in text


def test_picture_has_a_panel_per_storage(tmp_path: Path) -> None:
    widths = []
    for images in ((1,), (1, 10)):
        distill.draw(tmp_path / "distill.png", summary(images=images))
        with Image.open(tmp_path / "distill.png") as picture:
            widths.append(picture.width)
    assert widths[1] > 1.5 * widths[0]


def test_page_has_the_figure_the_means_and_the_cells(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.config.write_text("plan: {}\n")
    write_summary(run, summary())
    write_csv(tmp_path / "distill.csv", distill.COLUMNS, rows())
    distill.draw(tmp_path / "distill.png", summary())
    text = write_page([run]).read_text()
    assert (
        "1 image per class: 7,840 numbers; distilled, 13 fractals (7,807 numbers): 95.0 ± 1.0 (3 seeds)"
        in text
    )
    assert "DSA, width 128 (published), 10 images (78,400 numbers): 97.8" in text
    assert "<th>per_class</th>" in text
    assert "What a network learns from a stored set" in text
