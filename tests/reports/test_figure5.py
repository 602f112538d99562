"""Figure 5 from cells with known statistics."""

import csv
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats

from fractalgan.reports import figure5
from fractalgan.storage import write_csv

LEARNED = [0.80, 0.82, 0.81, 0.84]
RANDOM = [0.76, 0.77, 0.79, 0.75]


def rows(labels: tuple[int | str, ...] = ("all", 10)) -> list[dict]:
    def row(source: str, seed: int, gan_step: int | None, step: int, count: int | str, value: float) -> dict:
        values = (source, seed, gan_step, step, count, "probe", value, value - 0.01)
        return dict(zip(figure5.COLUMNS, values, strict=True))

    found = []
    for count in labels:
        found.append(row("pixels", 0, None, 0, count, 0.84))
        for seed in range(4):
            found.append(row("untrained", seed, None, 0, count, 0.7))
            found.append(row("learned", seed, 500, 2000, count, 0.78))
            for step, less in ((1000, 0.01), (2000, 0.0)):
                found.append(row("random", seed, None, step, count, RANDOM[seed] - less))
                found.append(row("learned", seed, 1500, step, count, LEARNED[seed] - less))
    return found


def test_means_deviations_and_the_paired_test() -> None:
    summary = figure5.summarize(rows())
    curve = summary["curves"]["learned, all labels, a linear probe"]
    assert list(curve) == ["1000", "2000"]  # without the fractals of earlier GAN steps
    assert curve["2000"]["mean"] == pytest.approx(np.mean(LEARNED))
    assert curve["2000"]["std"] == pytest.approx(np.std(LEARNED, ddof=1))
    assert summary["curves"]["pixels, 10 labels per class, a linear probe"]["0"] == {
        "mean": 0.84,
        "std": None,
        "seeds": 1,
    }
    found = summary["learned_against"]["learned - random, all labels, a linear probe"]
    assert found["points"] == pytest.approx(100 * np.mean(np.subtract(LEARNED, RANDOM)))
    assert found["p_value"] == pytest.approx(stats.ttest_rel(LEARNED, RANDOM).pvalue)
    assert found["points_low"] < found["points"] < found["points_high"]


def test_one_pair_is_not_tested() -> None:
    alone = [row for row in rows() if row["seed"] == 0]
    summary = figure5.summarize(alone)
    assert len(summary["learned_against"]) == 4  # two sources, two numbers of labels
    assert set(summary["learned_against"].values()) == {None}
    assert figure5.lines(summary)


def test_table_has_every_cell(tmp_path: Path) -> None:
    write_csv(tmp_path / "figure5.csv", figure5.COLUMNS, rows())
    with (tmp_path / "figure5.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(rows())
    assert list(read[0]) == [*figure5.COLUMNS]
    assert float(read[-1]["accuracy"]) == rows()[-1]["accuracy"]


def test_picture_has_a_panel_for_each_number_of_labels_and_for_gan_steps(tmp_path: Path) -> None:
    widths = []
    for name, given in {
        "one": [row for row in rows(("all",)) if row["gan_step"] != 500],
        "gan": rows(("all",)),
        "both": rows(),
    }.items():
        figure5.draw(tmp_path / f"{name}.png", given, "some data")
        with Image.open(tmp_path / f"{name}.png") as image:
            widths.append(image.width)
    assert widths[1] == pytest.approx(2 * widths[0], abs=2)
    assert widths[2] == pytest.approx(3 * widths[0], abs=2)


def test_rows_of_earlier_versions_are_probes_of_lenets() -> None:
    old = {"source": "random", "seed": 0, "gan_step": None, "lenet_step": 5, "labels": 10, "accuracy": 0.5}
    row = figure5.current_row(old)
    assert tuple(row) == figure5.COLUMNS
    assert (row["network_step"], row["protocol"], row["validation"]) == (5, "probe", None)
    assert figure5.current_row(row) == row


def test_summaries_of_earlier_versions_are_printed() -> None:
    summary = figure5.summarize(rows())
    (first, *_) = summary.pop("learned_against").values()
    printed = figure5.lines(summary | {"learned_against_random": {"all": first, "10": None}})
    assert [line for line in printed if line.startswith("learned - random, all labels: +")]


def test_fractals_of_runs_are_named_after_them() -> None:
    names = ["random", "runs/a", "runs/b/checkpoints/last.ckpt", "some/mine.safetensors"]
    assert [*figure5._titles(names).values()] == ["random", "a", "b", "mine"]
    alike = ["random", "runs/random", "a/one.json", "b/one.json", "runs/lr0.1", "runs/lr0.2"]
    assert [*figure5._titles(alike).values()] == [*alike[:4], "lr0.1", "lr0.2"]


def test_sources_of_one_name_are_tested_each() -> None:
    several = rows()
    for source in ("a/one.json", "b/one.json"):
        several += [row | {"source": source} for row in rows() if row["source"] == "learned"]
    found = figure5.summarize(several)["learned_against"]
    assert len(found) == 2 * 3 * 2  # numbers of labels, learned fractals, random ones and untrained networks


def test_each_protocol_has_a_row_of_panels_and_tests(tmp_path: Path) -> None:
    """Learned against every other source, which perturbed ones and files are."""
    several = rows()
    for row in rows():
        if row["source"] == "random":
            several += [row | {"source": "perturbed"}, row | {"source": "mine.json", "accuracy": 0.5}]
    several += [row | {"protocol": "finetune"} for row in several if row["source"] != "pixels"]
    summary = figure5.summarize(several)
    found = summary["learned_against"]
    assert len(found) == 4 * 2 * 3  # panels, learned fractals, what they are compared with
    against = found["mine - random, 10 labels per class, fine-tuning"]
    assert against["points"] == pytest.approx(100 * (0.5 - np.mean(RANDOM)))
    of_random, of_perturbed = (
        found[f"learned - {each}, all labels, a linear probe"] for each in ("random", "perturbed")
    )
    assert of_random == of_perturbed
    figure5.draw(tmp_path / "several.png", several, "some data")
    figure5.draw(tmp_path / "one.png", rows(), "some data")
    with Image.open(tmp_path / "several.png") as image, Image.open(tmp_path / "one.png") as one:
        assert image.height == pytest.approx(2 * one.height, abs=2)
        assert image.width == one.width


@pytest.mark.parametrize(("seeds", "said"), [(1, "one seed"), (4, "standard deviation of 4 seeds")])
def test_title_says_how_many_seeds_there_are(
    seeds: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    monkeypatch.setattr(Figure, "suptitle", lambda _, title, **__: titles.append(title))
    figure5.draw(tmp_path / "seeds.png", [row for row in rows() if row["seed"] < seeds], "some data")
    assert titles[0].startswith("some data\n")
    assert titles[0].endswith(said)
