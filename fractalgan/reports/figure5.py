"""Figure 5 from its cells: plot, summary, and a paired test of learned against random fractals."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from fractalgan.reports.spread import Spread
from fractalgan.storage import Row, atomic_path

COLUMNS = ("source", "seed", "gan_step", "lenet_step", "labels", "accuracy")
COLORS = {"learned": "tab:red", "random": "tab:gray", "untrained": "tab:blue", "pixels": "black"}


def summarize(rows: list[Row]) -> dict[str, Any]:
    """Mean and std of every curve, and learned against random fractals at the last step."""
    last = max(row["lenet_step"] for row in rows)
    labels = _labels(rows)
    return {
        "lenet_steps": last,
        "curves": {
            f"{source}, {count} labels": {str(step): each._asdict() for step, each in curve.items()}
            for count in labels
            for source in COLORS
            if (curve := _curve(rows, source, count, "lenet_step"))
        },
        "learned_against_random": {str(count): _paired(rows, count, last) for count in labels},
    }


def _paired(rows: list[Row], labels: int | str, step: int) -> dict[str, float] | None:
    """A paired t-test over common seeds; None for fewer than two, or if all pairs are equal."""
    by_seed: dict[str, dict[int, float]] = {
        source: {
            row["seed"]: row["accuracy"]
            for row in _main(rows)
            if (row["source"], row["labels"], row["lenet_step"]) == (source, labels, step)
        }
        for source in ("learned", "random")
    }
    seeds = sorted(by_seed["learned"].keys() & by_seed["random"].keys())
    if len(seeds) < 2 or by_seed["learned"] == by_seed["random"]:
        return None
    learned, random = ([by_seed[source][seed] for seed in seeds] for source in ("learned", "random"))
    found = stats.ttest_rel(learned, random)
    low, high = found.confidence_interval()
    difference = Spread.of([a - b for a, b in zip(learned, random, strict=True)])
    return {
        "seeds": len(seeds),
        "points": 100 * difference.mean,
        "points_low": 100 * float(low),
        "points_high": 100 * float(high),
        "p_value": float(found.pvalue),
    }


def lines(summary: dict[str, Any]) -> list[str]:
    """The summary as it is printed: the end of each curve, and the lead of learned fractals."""
    lines = []
    for name, curve in summary["curves"].items():
        end = curve[list(curve)[-1]]
        band = "" if end["std"] is None else f" +- {100 * end['std']:.1f}"
        lines.append(f"  {name:<24} {100 * end['mean']:5.1f}{band} %")
    for labels, found in summary["learned_against_random"].items():
        if found:
            lines.append(
                f"learned - random, {labels} labels: {found['points']:+.1f} points"
                f" ({found['points_low']:+.1f} to {found['points_high']:+.1f}; p = {found['p_value']:.2g},"
                f" {found['seeds']} pairs)"
            )
    return ["accuracy of a linear probe on the test images, mean +- standard deviation over seeds:", *lines]


def draw(path: Path, rows: list[Row], title: str) -> None:
    """Plot the mean of every source with a band of one std, over LeNet steps and over GAN steps."""
    labels = _labels(rows)
    over_gan = _curve(_final(rows), "learned", labels[0], "gan_step")
    count = len(labels) + (len(over_gan) > 1)
    figure = Figure(figsize=(4.2 * count, 3.8), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, count, squeeze=False)[0])
    for axis, each in zip(axes, labels, strict=False):
        for source in COLORS:
            _plot(axis, source, _curve(rows, source, each, "lenet_step"))
        axis.set_xlabel("LeNet steps")
        axis.set_title("all labels" if each == "all" else f"{each} labels per class")
    if len(over_gan) > 1:
        _plot(axes[-1], "learned", over_gan)
        _plot(axes[-1], "random", _level(rows, "random", labels[0]))
        axes[-1].set_xlabel("GAN steps")
        axes[-1].set_title("after all LeNet steps")
    axes[0].set_ylabel("accuracy of a linear probe, test images")
    axes[0].legend()
    seeds = max(each.seeds for each in _curve(rows, "learned", labels[0], "lenet_step").values())
    figure.suptitle(f"{title}: mean and one standard deviation of {seeds} seeds", fontsize="medium")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _plot(axis: Axes, source: str, curve: dict[int, Spread]) -> None:
    """A line with its band, or a horizontal line for a single point."""
    if not curve:
        return
    steps, mean = list(curve), [each.mean for each in curve.values()]
    low, high = ([each.mean + sign * (each.std or 0) for each in curve.values()] for sign in (-1, 1))
    line: dict[str, Any] = {"color": COLORS[source], "label": source}
    band: dict[str, Any] = {"color": COLORS[source], "alpha": 0.2, "linewidth": 0}
    if len(steps) == 1:
        axis.axhline(mean[0], linestyle="--", **line)
        axis.axhspan(low[0], high[0], **band)
    else:
        axis.plot(steps, mean, marker="o", markersize=3, **line)
        axis.fill_between(steps, low, high, **band)


def _labels(rows: list[Row]) -> list[int | str]:
    """Numbers of labels per class, in descending order, "all" first."""
    found = {row["labels"] for row in rows}
    return sorted(found, key=lambda each: -float("inf") if each == "all" else -each)


def _main(rows: list[Row]) -> list[Row]:
    """The rows without fractals of earlier GAN steps."""
    last = max((row["gan_step"] or 0 for row in rows), default=0)
    return [row for row in rows if row["gan_step"] in (None, last)]


def _final(rows: list[Row]) -> list[Row]:
    """The rows after all LeNet steps."""
    last = max(row["lenet_step"] for row in rows)
    return [row for row in rows if row["lenet_step"] == last and row["gan_step"] is not None]


def _curve(rows: list[Row], source: str, labels: int | str, along: str) -> dict[int, Spread]:
    """The spread over seeds at each step."""
    values: dict[int, list[float]] = defaultdict(list)
    for row in _main(rows) if along == "lenet_step" else rows:
        if row["source"] == source and row["labels"] == labels:
            values[row[along]].append(row["accuracy"])
    return {step: Spread.of(values[step]) for step in sorted(values)}


def _level(rows: list[Row], source: str, labels: int | str) -> dict[int, Spread]:
    """The end of a source's curve, as a curve with one point."""
    curve = _curve(rows, source, labels, "lenet_step")
    return dict([max(curve.items())]) if curve else {}
