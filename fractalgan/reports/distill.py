"""The table of labeled fractals from its cells: by source and storage, beside published figures of others."""

from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fractalgan.reports.spread import Spread
from fractalgan.storage import Row, atomic_path

KEY = ("images_per_class", "source", "seed")
COLUMNS = ("source", *(name for name in KEY if name != "source"), "per_class", "numbers", "jitter")
COLUMNS += ("validation", "accuracy")

# What is stored by each source, in the order of the table.
SOURCES = {
    "distilled": "fractals of exemplars, moved by a distillation",
    "exemplars": "fractals, each of which rebuilds a medoid of its class",
    "random-exemplars": "fractals, each of which rebuilds a random image",
    "gan": "fractals that a GAN with labels has learned",
    "random": "random fractals with random labels, at chance",
    "pixels": "as many images, the medoids themselves",
    "random-pixels": "as many random images",
}
CHANCE = "random"
IMAGES = ("pixels", "random-pixels")  # of real images, not of fractals

# Test accuracies in percent of a ConvNet of width 128, by data set and stored images per class, as published:
# DC (Zhao et al., ICLR 2021), DSA (Zhao & Bilen, ICML 2021), IDC (Kim et al., ICML 2022), FreD (Shin et al.,
# NeurIPS 2023).
PUBLISHED: dict[str, dict[int, dict[str, float]]] = {
    "MNIST": {
        1: {"DC": 91.7, "DSA": 88.7, "FreD": 95.8},
        10: {"DC": 97.4, "DSA": 97.8, "IDC": 98.4, "FreD": 97.6},
    },
    "FashionMNIST": {
        1: {"DC": 70.5, "DSA": 70.6, "FreD": 84.6},
        10: {"DC": 82.3, "DSA": 84.6, "IDC": 86.0, "FreD": 89.1},
    },
}
PUBLISHED_WIDTH = 128


class Line(NamedTuple):
    """A line of the table."""

    source: str
    stored: str  # per class: "13 fractals"
    numbers: str  # of the whole set
    jitter: str
    seeds: str
    accuracy: str  # in percent


HEADER = Line("source", "stored per class", "numbers", "jitter", "seeds", "test accuracy, %")


def summarize(rows: list[Row], data: str, network: str, numbers: int) -> dict[str, Any]:
    """Mean and std over seeds by storage and source, and the published figures for the same storage.

    Args:
        rows: the cells.
        data: name of the data set.
        network: what was trained, in words.
        numbers: of one image of each class.
    """
    by_storage: dict[int, list[Row]] = {images: [] for images in sorted({row[KEY[0]] for row in rows})}
    for row in rows:
        by_storage[row[KEY[0]]].append(row)
    return {
        "data": data,
        "network": network,
        "images_per_class": {
            str(images): {
                "numbers": images * numbers,
                "sources": {
                    source: _summary([row for row in found if row["source"] == source])
                    for source in SOURCES
                    if any(row["source"] == source for row in found)
                },
                "published": PUBLISHED.get(data, {}).get(images, {}),
            }
            for images, found in by_storage.items()
        },
    }


def _summary(rows: list[Row]) -> dict[str, Any]:
    """The cells of a source: what does not depend on the seed, and the spread of the accuracy."""
    same = {name: rows[0][name] for name in ("per_class", "numbers", "jitter")}
    return same | Spread.of([row["accuracy"] for row in rows])._asdict()


def table(summary: dict[str, Any]) -> dict[str, list[Line]]:
    """The lines by storage, under its name: "1 image per class: 7,840 numbers"."""
    return {
        f"{_per_class(images)}: {found['numbers']:,} numbers": _lines(int(images), found)
        for images, found in summary["images_per_class"].items()
    }


def _lines(images: int, found: dict[str, Any]) -> list[Line]:
    lines = []
    for source, each in found["sources"].items():
        stored = _counted(each["per_class"], "image" if source in IMAGES else "fractal")
        jitter = "" if each["jitter"] is None else f"{each['jitter']:g}"
        std = "" if each["std"] is None else f" ± {100 * each['std']:.1f}"
        accuracy = f"{100 * each['mean']:.1f}{std}"
        lines.append(Line(source, stored, f"{each['numbers']:,}", jitter, str(each["seeds"]), accuracy))
    for method, accuracy in found["published"].items():
        stored, numbers = _counted(images, "image"), f"{found['numbers']:,}"
        lines.append(Line(_published(method), stored, numbers, "", "", f"{accuracy:.1f}"))
    return lines


def _per_class(images: str) -> str:
    return f"{_counted(int(images), 'image')} per class"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _published(method: str) -> str:
    return f"{method}, width {PUBLISHED_WIDTH} (published)"


def _most_seeds(found: dict[str, Any]) -> int:
    """The largest number of seeds of a source in a storage."""
    return max((int(each["seeds"]) for each in found["sources"].values()), default=0)


def as_markdown(summary: dict[str, Any]) -> str:
    """The table as Markdown."""
    parts = [
        f"Test accuracy on {summary['data']}, mean ± std over seeds: {summary['network']}, trained on a"
        " stored set.",
        "",
    ]
    for title, lines in table(summary).items():
        parts += [f"### {title}", "", f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|"]
        parts += [f"| {' | '.join(line)} |" for line in lines]
        parts.append("")
    parts += [f"- {explained}" for explained in _explained(summary)]
    return "\n".join([*parts, ""])


def _explained(summary: dict[str, Any]) -> list[str]:
    """What each source of the table is: "random: random fractals with random labels, at chance"."""
    shown = {source for found in summary["images_per_class"].values() for source in found["sources"]}
    return [f"{source}: {what}" for source, what in SOURCES.items() if source in shown]


def lines(summary: dict[str, Any]) -> list[str]:
    """The table as lines of a list."""
    head = f"{summary['network']} on {summary['data']}: test accuracy in percent, mean ± std over seeds"
    return [
        head,
        *(
            f"{title}; {line.source}, {line.stored} ({line.numbers} numbers): {line.accuracy}"
            + (f" ({_counted(int(line.seeds), 'seed')})" if line.seeds else "")
            for title, found in table(summary).items()
            for line in found
        ),
        *_explained(summary),
    ]


def draw(path: Path, summary: dict[str, Any]) -> None:
    """Plot mean and std of every source, a panel for each storage; published figures are hollow.

    Chance is left out: beside it, all others would be one dot. The title of a panel has the largest number of
    seeds; sources with fewer have theirs beside their name.
    """
    storage = summary["images_per_class"]
    count = len(storage)
    figure = Figure(figsize=(1.5 + 3.6 * count, 3.8), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, count, squeeze=False)[0])
    for axis, (images, found) in zip(axes, storage.items(), strict=True):
        sources = {name: each for name, each in found["sources"].items() if name != CHANCE} or found[
            "sources"
        ]
        most = _most_seeds(found)
        names = [
            name if each["seeds"] == most else f"{name}, {_counted(each['seeds'], 'seed')}"
            for name, each in sources.items()
        ]
        names += [_published(method) for method in found["published"]]
        for place, each in enumerate(sources.values()):
            color = "black" if each["jitter"] is None else "tab:red"
            mean, std = 100 * each["mean"], 100 * (each["std"] or 0)
            axis.errorbar(mean, place, xerr=std, fmt="o", capsize=3, color=color)
        for place, accuracy in enumerate(found["published"].values(), len(sources)):
            axis.plot(accuracy, place, "o", color="tab:gray", fillstyle="none")
        axis.set_yticks(range(len(names)), names, fontsize="small")
        axis.invert_yaxis()
        axis.grid(axis="x", alpha=0.3)
        axis.set_xlabel("test accuracy, %")
        axis.set_title(f"{_per_class(images)}, {_counted(most, 'seed')}", fontsize="medium")
    title = f"{summary['network']} on {summary['data']}: mean and std over seeds"
    figure.suptitle(title, fontsize="medium")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
