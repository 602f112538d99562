"""Pre-training data compared (Figure 5): plot, summary, and paired tests of learned fractals."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from fractalgan.reports.spread import Spread
from fractalgan.storage import READERS, Row, atomic_path

KEY = ("source", "seed", "gan_step", "network_step", "labels", "protocol")  # identifies a cell
DIGEST = "fractals"  # of rows of learned fractals: what identifies them
COLUMNS = (*KEY, "accuracy", "validation")

SUFFIXES = {*READERS, ".ckpt"}  # of files of fractals

COLORS = {"learned": "tab:red", "random": "tab:gray", "untrained": "tab:blue", "pixels": "black"}
COLORS |= {"perturbed": "tab:orange"}
SAMPLED = ("random", "perturbed")  # fractals that are not learned
REFERENCES = (*SAMPLED, "untrained", "pixels")  # that learned ones are compared with
OTHERS = ("tab:green", "tab:purple", "tab:brown", "tab:pink", "tab:olive", "tab:cyan")  # of other fractals

MEASURES = {"probe": "a linear probe", "finetune": "fine-tuning"}  # by protocol


class Panel(NamedTuple):
    """What one panel of the figure shows."""

    protocol: str
    labels: int | str

    @property
    def title(self) -> str:
        """The labels that networks are evaluated with: "10 labels per class"."""
        return "all labels" if self.labels == "all" else f"{self.labels} labels per class"

    def __str__(self) -> str:
        return f"{self.title}, {MEASURES[self.protocol]}"


def current_row(row: Row) -> Row:
    """A row of today for one of an earlier version, which had LeNets and probes only."""
    renamed = {"network_step" if name == "lenet_step" else name: value for name, value in row.items()}
    known = {"protocol": "probe", "validation": None} | renamed
    names = (*KEY, DIGEST, *COLUMNS[len(KEY) :])
    return {name: known[name] for name in names if name in known or name != DIGEST}


def summarize(rows: list[Row]) -> dict[str, Any]:
    """Mean and std of every curve, and learned fractals against others at the last step."""
    last = max(row["network_step"] for row in rows)
    panels, titles = _panels(rows), _titles(_sources(rows))
    return {
        "network_steps": last,
        "curves": {
            f"{source}, {panel}": {str(step): each._asdict() for step, each in curve.items()}
            for panel in panels
            for source in _sources(rows)
            if (curve := _curve(rows, source, panel))
        },
        "learned_against": {
            f"{titles[ours]} - {other}, {panel}": _paired(rows, ours, other, panel)
            for panel in panels
            for ours in _sources(rows)
            if ours not in REFERENCES
            for other in _sources(rows)
            if other in REFERENCES and other != "pixels" and _curve(rows, ours, panel)
        },
    }


def _paired(rows: list[Row], ours: str, other: str, panel: Panel) -> dict[str, float] | None:
    """A paired t-test over common seeds; None for fewer than two, or if all differences are equal."""
    first, second = (_by_seed(rows, source, panel) for source in (ours, other))
    seeds = sorted(first.keys() & second.keys())
    differences = [first[seed] - second[seed] for seed in seeds]
    if len({round(each, 9) for each in differences}) < 2:
        return None
    found = stats.ttest_1samp(differences, 0)  # that of the pairs
    low, high = found.confidence_interval()
    difference = Spread.of(differences)
    return {
        "seeds": len(seeds),
        "points": 100 * difference.mean,
        "points_low": 100 * float(low),
        "points_high": 100 * float(high),
        "p_value": float(found.pvalue),
    }


def _by_seed(rows: list[Row], source: str, panel: Panel) -> dict[int, float]:
    """The accuracies of a source after its last step, by seed."""
    of_source = [row for row in _main(rows) if row["source"] == source and _panel(row) == panel]
    last = max((row["network_step"] for row in of_source), default=0)
    return {row["seed"]: row["accuracy"] for row in of_source if row["network_step"] == last}


def lines(summary: dict[str, Any]) -> list[str]:
    """The summary as it is printed: the end of each curve, and the lead of learned fractals."""
    lines = []
    width = max(24, *map(len, summary["curves"]))
    for name, curve in summary["curves"].items():
        end = curve[list(curve)[-1]]
        band = "" if end["std"] is None else f" +- {100 * end['std']:.1f}"
        lines.append(f"  {name:<{width}} {100 * end['mean']:5.1f}{band} %")
    for name, found in _leads(summary):
        if found:
            lines.append(
                f"{name}: {found['points']:+.1f} points"
                f" ({found['points_low']:+.1f} to {found['points_high']:+.1f}; p = {found['p_value']:.2g},"
                f" {found['seeds']} pairs)"
            )
    return ["accuracy on the test images, mean +- standard deviation over seeds:", *lines]


def _leads(summary: dict[str, Any]) -> Iterator[tuple[str, dict[str, float] | None]]:
    """The paired tests of a summary, of an earlier version, too."""
    for labels, found in summary.get("learned_against_random", {}).items():
        yield f"learned - random, {labels} labels", found
    yield from summary.get("learned_against", {}).items()


def draw(path: Path, rows: list[Row], title: str) -> None:
    """Plot the mean of every source with a band of one std, over the steps of networks and of a GAN."""
    panels = _panels(rows)
    protocols = list(dict.fromkeys(panel.protocol for panel in panels))
    over_gan = _curve(_final(rows), "learned", panels[0], "gan_step")
    columns = len(panels) // len(protocols) + (len(over_gan) > 1)
    figure = Figure(figsize=(4.2 * columns, 3.8 * len(protocols)), layout="constrained")
    grid = figure.subplots(len(protocols), columns, squeeze=False)
    has_curves = len({row["network_step"] for row in rows} - {0}) > 1
    draw_panel = _draw_curves if has_curves else _draw_points
    for axes, protocol in zip(grid, protocols, strict=True):
        of_protocol = [panel for panel in panels if panel.protocol == protocol]
        for axis, panel in zip(axes, of_protocol, strict=False):
            draw_panel(axis, rows, panel)
        if has_curves:
            axes[0].set_ylabel(_accuracy(protocol))
        for axis in axes[len(of_protocol) :]:
            axis.set_visible(False)
    if len(over_gan) > 1:
        _draw_gan_steps(grid[0][-1], rows, over_gan, panels[0])
    if has_curves:
        grid[0][0].legend()
    figure.suptitle(f"{title}\n{_spread(rows)}", fontsize="medium")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def count_seeds(rows: list[Row]) -> int:
    """The number of seeds that rows have."""
    return 1 + max((row["seed"] for row in rows), default=-1)


def _spread(rows: list[Row]) -> str:
    seeds = count_seeds(rows)
    return f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed"


def _accuracy(protocol: str) -> str:
    return f"test accuracy, {MEASURES[protocol].removeprefix('a ')}"


def _draw_curves(axis: Axes, rows: list[Row], panel: Panel) -> None:
    """The curve of each source over the pre-training steps."""
    for source, style in _styles(rows).items():
        _plot(axis, style, _curve(rows, source, panel))
    axis.set_xlabel("pre-training steps")
    axis.set_title(panel.title)


def _draw_points(axis: Axes, rows: list[Row], panel: Panel) -> None:
    """Mean and std of each source, one above the other, where networks are evaluated after one step only."""
    styles = {source: style for source, style in _styles(rows).items() if _curve(rows, source, panel)}
    for place, (source, style) in enumerate(styles.items()):
        (found,) = _curve(rows, source, panel).values()
        axis.errorbar(found.mean, place, xerr=found.std or 0, fmt="o", capsize=3, color=style.color)
    axis.set_yticks(range(len(styles)), [style.title for style in styles.values()])
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.set_xlabel(_accuracy(panel.protocol))
    axis.set_title(panel.title)


def _draw_gan_steps(axis: Axes, rows: list[Row], over_gan: dict[int, Spread], panel: Panel) -> None:
    axis.set_visible(True)
    styles = _styles(rows)
    _plot(axis, styles["learned"], over_gan)
    for source in [each for each in styles if each in SAMPLED]:
        end = _curve(rows, source, panel)
        _plot(axis, styles[source], dict([max(end.items())]) if end else {})
    axis.set_xlabel("GAN steps")
    axis.set_ylabel(_accuracy(panel.protocol))
    axis.set_title(f"{panel.title}, after all pre-training steps")
    axis.legend()


def _titles(sources: list[str]) -> dict[str, str]:
    """The name of each: the folder of its run, or its file without suffix; the path if two have one name."""
    names = {source: _name(Path(source)) for source in sources}
    found = [*names.values()]
    return {source: source if found.count(name) > 1 else name for source, name in names.items()}


def _name(path: Path) -> str:
    if path.parent.name == "checkpoints":
        return path.parent.parent.name
    return path.stem if path.suffix in SUFFIXES else path.name


class Style(NamedTuple):
    """How the curve of a source is drawn."""

    title: str
    color: str


def _styles(rows: list[Row]) -> dict[str, Style]:
    """That of each source."""
    titles = _titles(_sources(rows))
    others = [source for source in _sources(rows) if source not in COLORS]
    cycle = {source: OTHERS[number % len(OTHERS)] for number, source in enumerate(others)}
    return {source: Style(title, (COLORS | cycle)[source]) for source, title in titles.items()}


def _plot(axis: Axes, style: Style, curve: dict[int, Spread]) -> None:
    """A line with its band, or a horizontal line for a single point."""
    if not curve:
        return
    steps, mean = list(curve), [each.mean for each in curve.values()]
    low, high = ([each.mean + sign * (each.std or 0) for each in curve.values()] for sign in (-1, 1))
    line: dict[str, Any] = {"color": style.color, "label": style.title}
    band: dict[str, Any] = {"color": style.color, "alpha": 0.2, "linewidth": 0}
    if len(steps) == 1:
        axis.axhline(mean[0], linestyle="--", **line)
        axis.axhspan(low[0], high[0], **band)
    else:
        axis.plot(steps, mean, marker="o", markersize=3, **line)
        axis.fill_between(steps, low, high, **band)


def _sources(rows: list[Row]) -> list[str]:
    """The sources, the known ones first."""
    found = dict.fromkeys(row["source"] for row in rows)
    return [
        *(source for source in COLORS if source in found),
        *(each for each in found if each not in COLORS),
    ]


def _panels(rows: list[Row]) -> list[Panel]:
    """The panels by protocol, and by numbers of labels per class in descending order, "all" first."""
    found = {_panel(row) for row in rows}
    order = list(MEASURES)

    def place(panel: Panel) -> tuple[int, float]:
        return order.index(panel.protocol), -float("inf") if panel.labels == "all" else -float(panel.labels)

    return sorted(found, key=place)


def _panel(row: Row) -> Panel:
    return Panel(row["protocol"], row["labels"])


def _main(rows: list[Row]) -> list[Row]:
    """The rows without fractals of earlier GAN steps."""
    last = max((row["gan_step"] or 0 for row in rows), default=0)
    return [row for row in rows if row["gan_step"] in (None, last)]


def _final(rows: list[Row]) -> list[Row]:
    """The rows after all steps of the networks that are trained on learned fractals."""
    last = max(row["network_step"] for row in rows)
    return [row for row in rows if row["network_step"] == last and row["gan_step"] is not None]


def _curve(rows: list[Row], source: str, panel: Panel, along: str = "network_step") -> dict[int, Spread]:
    """The spread over seeds at each step."""
    values: dict[int, list[float]] = defaultdict(list)
    for row in _main(rows) if along == "network_step" else rows:
        if row["source"] == source and _panel(row) == panel:
            values[row[along]].append(row["accuracy"])
    return {step: Spread.of(values[step]) for step in sorted(values)}
