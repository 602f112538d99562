"""Table 1 from its cells: the table with the paper's values, loss curves, and reconstructions by row."""

import statistics
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from fractalgan.storage import Row, atomic_path

DIGITS = {"mse_min": 4, "mse_mean": 4, "mse_max": 4, "psnr": 2, "iou": 3}  # after the decimal point
MEASURES = tuple(DIGITS)
COLUMNS = ("data", "row", "seed", *MEASURES, "exploded", "targets")

# The paper's Table 1: mean and std over three runs with 2,000 targets; the lowest MSE of 100 images.
PAPER = {
    ("fractaldb", "B"): "0.3889",
    ("MNIST", "B"): "0.1724",
    ("KMNIST", "B"): "0.3016",
    ("FashionMNIST", "B"): "0.3658",
    ("fractaldb", "C"): "0.0790 ± 0.0006",
    ("fractaldb", "D"): "0.0752 ± 0.0027",
    ("fractaldb", "E"): "0.0630 ± 0.0008",
    ("fractaldb", "F"): "0.0617 ± 0.0009",
    ("MNIST", "C"): "0.0475 ± 0.0012",
    ("MNIST", "D"): "0.0312 ± 0.0002",
    ("MNIST", "E"): "0.0223 ± 0.0004",
    ("MNIST", "F"): "0.0202 ± 0.0005",
    ("KMNIST", "C"): "0.1023 ± 0.0016",
    ("KMNIST", "D"): "0.0979 ± 0.0008",
    ("KMNIST", "E"): "0.0826 ± 0.0010",
    ("KMNIST", "F"): "0.0781 ± 0.0015",
    ("FashionMNIST", "C"): "0.0692 ± 0.0010",
    ("FashionMNIST", "D"): "0.0765 ± 0.0034",
    ("FashionMNIST", "E"): "0.0547 ± 0.0005",
    ("FashionMNIST", "F"): "0.0538 ± 0.0006",
} | {(data, "raw"): "exploded" for data in ("fractaldb", "MNIST", "KMNIST", "FashionMNIST")}


def summarize(rows: list[Row], order: list[str]) -> dict[str, Any]:
    """Mean and std over seeds of each measure, by data set and row, in this ``order``."""
    return {
        data: {
            name: _spread([row for row in rows if (row["data"], row["row"]) == (data, name)])
            for name in order
            if any((row["data"], row["row"]) == (data, name) for row in rows)
        }
        for data in dict.fromkeys(row["data"] for row in rows)
    }


def _spread(rows: list[Row]) -> dict[str, Any]:
    found: dict[str, Any] = {"seeds": len(rows), "targets": rows[0]["targets"]}
    for measure in MEASURES:
        values = [row[measure] for row in rows if measure in row]  # cells of earlier versions lack some
        if not values:
            continue
        std = statistics.stdev(values) if len(values) > 1 else None
        found[measure] = {"mean": statistics.fmean(values), "std": std}
    return found | {"exploded": sum(row["exploded"] for row in rows)}


def as_markdown(summary: dict[str, Any]) -> str:
    """The table as Markdown: MSE of 100 images of each fractal, PSNR and IoU of the best."""
    parts = []
    for data, rows in summary.items():
        parts.append(f"### {data}\n")
        parts.append("| row | lowest of 100 | paper | mean of 100 | highest of 100 | PSNR | IoU | exploded |")
        parts.append("|---|---|---|---|---|---|---|---|")
        for name, found in rows.items():
            lowest, *others = (_figure(found.get(measure), digits) for measure, digits in DIGITS.items())
            share = f"{found['exploded']} of {found['targets'] * found['seeds']}"
            paper = PAPER.get((data, name), "")
            parts.append(f"| {name} | {lowest} | {paper} | {' | '.join(others)} | {share} |")
        parts.append("")
    return "\n".join(parts)


def _figure(spread: dict[str, float | None] | None, digits: int) -> str:
    if spread is None:
        return "-"
    std = spread["std"]
    return f"{spread['mean']:.{digits}f}" + ("" if std is None else f" ± {std:.{digits}f}")


def draw_curves(path: Path, rows: list[Row], steps: int) -> None:
    """Plot Figure 3: the training loss, mean and one std over seeds, one panel per data set."""
    names = list(dict.fromkeys(row["data"] for row in rows))
    figure = Figure(figsize=(5 * len(names) + 1, 4), layout="constrained")
    for axes, data in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for name in dict.fromkeys(row["row"] for row in rows):
            curves = np.array([r["curve"] for r in rows if (r["data"], r["row"]) == (data, name)])
            if not curves.size:
                continue
            at = np.arange(1, curves.shape[1] + 1) * max(1, steps // curves.shape[1])
            (line,) = axes.plot(at, curves.mean(0), label=name)
            if len(curves) > 1:
                low, high = (curves.mean(0) + sign * curves.std(0, ddof=1) for sign in (-1, 1))
                axes.fill_between(at, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        axes.set(title=data, xlabel="steps", ylabel="training loss (MSE)", yscale="log")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    _save(figure, path)


def draw_strips(path: Path, strips: Path, summary: dict[str, Any]) -> None:
    """Plot Figure 4: targets, and their reconstructions by each row of the table, for every data set."""
    places = [
        (data, kind) for data, rows in summary.items() for kind in ("targets", *(f"{r}-0" for r in rows))
    ]
    figure = Figure(figsize=(11, 1.05 * len(places)))
    for axes, (name, kind) in zip(figure.subplots(len(places), 1), places, strict=True):
        if (file := strips / f"{name}-{kind}.png").is_file():
            with Image.open(file) as strip:
                axes.imshow(np.asarray(strip))
        axes.set(xticks=[], yticks=[])
        label = kind.removesuffix("-0").replace("-", "\n", 1)
        axes.set_ylabel(f"{name}\n{label}", rotation=0, ha="right", va="center")
    figure.subplots_adjust(left=0.12, right=0.995, bottom=0.005, top=0.995, hspace=0.06)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
