"""The curves of runs as small charts: scaled points for the polylines of a page."""

import json
import math
import re
from collections import defaultdict
from typing import NamedTuple

from fractalgan.storage import RunFolder

LEFT, TOP, WIDTH, HEIGHT = 40.0, 6.0, 256.0, 124.0  # of the plot in a chart of 300 x 150
MAX_POINTS = 300  # of one line
LARGEST = 1e300  # values beyond, infinity among them, are left out

Curve = list[tuple[int, float]]  # steps and values


class Line(NamedTuple):
    """One curve of a chart."""

    run: int
    dashed: bool  # of training, not of validation
    label: str
    points: str  # of an SVG polyline


class Chart(NamedTuple):
    """One metric of all runs over the steps."""

    name: str
    low: str
    high: str
    first: int
    last: int
    lines: list[Line]


def read_curves(run: RunFolder) -> dict[str, Curve]:
    """The finite values of every metric in a run's metrics.jsonl; rows that are damaged are left out."""
    curves: dict[str, Curve] = defaultdict(list)
    for text in run.metrics.read_text(errors="replace").splitlines() if run.metrics.is_file() else []:
        try:
            row = json.loads(text)
            step = int(row.pop("step"))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            continue
        for name, value in row.items():
            if isinstance(value, float | int) and abs(value) < LARGEST:  # not for NaN
                curves[name].append((step, float(value)))
    return curves


def charts_of(runs: list[dict[str, Curve]], names: list[str]) -> list[Chart]:
    """A chart per metric that has two values or more in any run, training and validation in one.

    Args:
        runs: the curves of each run.
        names: of the runs.
    """
    names_of_all = dict.fromkeys(name for curves in runs for name in curves)
    metrics = dict.fromkeys(re.sub("^(train|val)/", "", name) for name in names_of_all)
    charts = []
    for metric in metrics:
        found = [
            (place, stage, curves[name])
            for place, curves in enumerate(runs)
            for stage, name in (("train", f"train/{metric}"), ("", metric), ("val", f"val/{metric}"))
            if len(curves.get(name, [])) > 1
        ]
        if found:
            charts.append(_chart(metric, found, names))
    return charts


def _chart(metric: str, found: list[tuple[int, str, Curve]], names: list[str]) -> Chart:
    steps = [step for _, _, curve in found for step, _ in curve]
    values = [value for _, _, curve in found for _, value in curve]
    first, last, low, high = min(steps), max(steps), min(values), max(values)

    def place(step: int, value: float) -> str:
        along = (step - first) / (last - first) if last > first else 0.5
        up = (value - low) / (high - low) if high > low else 0.5
        return f"{LEFT + WIDTH * along:.1f},{TOP + HEIGHT * (1 - up):.1f}"

    lines = []
    for run, stage, curve in found:
        step_size = math.ceil(len(curve) / MAX_POINTS)
        thinned = curve[(len(curve) - 1) % step_size :: step_size]  # with the last point
        label = f"{names[run]}, {'training' if stage == 'train' else 'validation'}: last {curve[-1][1]:.4g}"
        points = " ".join(place(*point) for point in thinned)
        lines.append(Line(run, stage == "train", label, points))
    return Chart(metric, f"{low:.3g}", f"{high:.3g}", first, last, lines)
