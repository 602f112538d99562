"""The sections of a run's page. A new kind of run adds one: a function, and its name in SECTIONS."""

import csv
import json
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from fractalgan.reports.page_pictures import embedded_file
from fractalgan.storage import RunFolder

MAX_FRAMES = 12
MAX_ROWS = 200  # of a table
MAX_CHARACTERS = 100_000  # of a text


class Section(NamedTuple):
    """A part of a page."""

    title: str
    template: str  # in page/
    content: dict[str, Any]


def frames(run: RunFolder) -> Section | None:
    """The grids of all fractals, from the first step to the last, with a slider."""
    paths = {
        int(match[1]): path
        for path in run.figures.glob("fractals_*.png")
        if (match := re.fullmatch(r"fractals_(\d+)\.png", path.name))
    }
    steps = sorted(paths)
    count = min(len(steps), MAX_FRAMES)
    chosen = [steps[round(k * (len(steps) - 1) / max(1, count - 1))] for k in range(count)]
    found = [{"step": step, "picture": uri} for step in chosen if (uri := embedded_file(paths[step]))]
    text = "All fractals, always in the same places, drawn as they are trained."
    return (
        Section("From step to step", "frames.html.jinja", {"frames": found, "text": text}) if found else None
    )


def before_and_after(run: RunFolder) -> Section | None:
    """The fractals before and after the training beside real images."""
    text = "Left: before training. Middle: after it. Right: images that it learned from."
    return _picture("Before, after, real", run, "figures/before_after_real.png", text)


def film(run: RunFolder) -> Section | None:
    """The animation of a reconstruction."""
    return _picture("Reconstruction", run, "figures/fit.gif", "Left: the fractals. Right: the pictures.")


def figure5(run: RunFolder) -> Section | None:
    """The figure of a comparison."""
    text = "Test accuracy of linear probes, by source of the images that the network was trained on."
    return _picture("Learned against random fractals", run, "figure5.png", text)


def figure3(run: RunFolder) -> Section | None:
    """The curves of an ablation."""
    return _picture("Error by step", run, "figure3.png", "")


def figure4(run: RunFolder) -> Section | None:
    """The reconstructions of an ablation."""
    return _picture("Targets and reconstructions", run, "figure4.png", "")


def table1(run: RunFolder) -> Section | None:
    """The table of an ablation, as the mean of each measure over the seeds."""
    return _table("Table 1", run, "table1.csv")


def table5(run: RunFolder) -> Section | None:
    """The accuracies of a comparison."""
    return _table("Accuracies", run, "figure5.csv")


def evaluations(run: RunFolder) -> Section | None:
    """What validate and test found later."""
    return _text("Later evaluations", run, "evaluations.jsonl", "evaluations.jsonl")


def configuration(run: RunFolder) -> Section | None:
    """All options."""
    return _text("Options", run, "config.yaml", "config.yaml, which --config takes to make the run again")


def environment(run: RunFolder) -> Section | None:
    """Versions, hardware and commands of every start, without the folder, as pages are sent to others."""
    starts = read_json(run.environment)
    if not starts:
        return None
    shown = [{name: each[name] for name in each if name != "folder"} for each in starts]
    content = {
        "summary": "versions, hardware and command of every start",
        "text": json.dumps(shown, indent=2),
    }
    return Section("Environment", "text.html.jinja", content)


SECTIONS: tuple[Callable[[RunFolder], Section | None], ...] = (
    before_and_after,
    frames,
    film,
    figure5,
    figure3,
    figure4,
    table1,
    table5,
    evaluations,
    configuration,
    environment,
)


def readable(section: Callable[[RunFolder], Section | None], run: RunFolder) -> Section | None:
    """A section of a run; a note in its place if the files of the run are damaged."""
    try:
        return section(run)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, csv.Error) as error:
        note = {"summary": "cannot be read", "text": f"{type(error).__name__}: {error}"[:200]}
        return Section(section.__name__.replace("_", " "), "text.html.jinja", note)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


def _picture(title: str, run: RunFolder, name: str, text: str) -> Section | None:
    uri = embedded_file(run.path / name)
    return Section(title, "picture.html.jinja", {"picture": uri, "text": text}) if uri else None


def _table(title: str, run: RunFolder, name: str) -> Section | None:
    path = run.path / name
    if not path.is_file():
        return None
    with path.open(newline="", errors="replace") as file:
        columns, *rows = islice(csv.reader(file), MAX_ROWS + 1)
    return Section(title, "table.html.jinja", {"columns": columns, "rows": rows})


def _text(title: str, run: RunFolder, name: str, summary: str) -> Section | None:
    path = run.path / name
    if not path.is_file():
        return None
    with path.open(errors="replace") as file:
        text = file.read(MAX_CHARACTERS + 1)
    if len(text) > MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]}\n... ({name} is longer)"
    return Section(title, "text.html.jinja", {"summary": summary, "text": text})
