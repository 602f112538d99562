"""The sections of a run's page. A new kind of run adds one to SECTIONS."""

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


class Content(NamedTuple):
    """What a section shows, and the template in page/ that shows it."""

    template: str
    values: dict[str, Any]


class Section(NamedTuple):
    """A part of a page."""

    title: str
    read: Callable[[RunFolder], Content | None]  # None if the run does not have it

    def of(self, run: RunFolder) -> Content | None:
        """The content of the section of a run; a note in its place if the files of the run are damaged."""
        try:
            return self.read(run)
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            OverflowError,
            csv.Error,
        ) as error:
            note = f"{type(error).__name__}: {error}"[:200]
            return Content("text.html.jinja", {"summary": "cannot be read", "text": note})


def picture(name: str, text: str = "") -> Callable[[RunFolder], Content | None]:
    """A picture or an animation in the run folder, with a text below it."""

    def read(run: RunFolder) -> Content | None:
        uri = embedded_file(run.path / name)
        return Content("picture.html.jinja", {"picture": uri, "text": text}) if uri else None

    return read


def table(name: str) -> Callable[[RunFolder], Content | None]:
    """The first MAX_ROWS rows of a CSV file in the run folder."""

    def read(run: RunFolder) -> Content | None:
        path = run.path / name
        if not path.is_file():
            return None
        with path.open(newline="", errors="replace") as file:
            columns, *rows = islice(csv.reader(file), MAX_ROWS + 1)
        return Content("table.html.jinja", {"columns": columns, "rows": rows})

    return read


def text(name: str, summary: str) -> Callable[[RunFolder], Content | None]:
    """The first MAX_CHARACTERS characters of a file in the run folder, which the summary unfolds."""

    def read(run: RunFolder) -> Content | None:
        path = run.path / name
        if not path.is_file():
            return None
        with path.open(errors="replace") as file:
            content = file.read(MAX_CHARACTERS + 1)
        if len(content) > MAX_CHARACTERS:
            content = f"{content[:MAX_CHARACTERS]}\n... ({name} is longer)"
        return Content("text.html.jinja", {"summary": summary, "text": content})

    return read


def frames(run: RunFolder) -> Content | None:
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
    caption = "All fractals, always in the same places, drawn as they are trained."
    return Content("frames.html.jinja", {"frames": found, "text": caption}) if found else None


def environment(run: RunFolder) -> Content | None:
    """Versions, hardware and commands of every start, without the folder, as pages are sent to others."""
    starts = read_json(run.environment)
    if not starts:
        return None
    shown = [{name: each[name] for name in each if name != "folder"} for each in starts]
    summary = "versions, hardware and command of every start"
    return Content("text.html.jinja", {"summary": summary, "text": json.dumps(shown, indent=2)})


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None


SECTIONS = (
    Section(
        "Before, after, real",
        picture(
            "figures/before_after_real.png",
            "Left: before training. Middle: after it. Right: real images.",
        ),
    ),
    Section("From step to step", frames),
    Section(
        "Training images",
        picture(
            "figures/training_images.png",
            "The first batch as the network was trained on it, by class: at most 100 images.",
        ),
    ),
    Section(
        "Reconstruction",
        picture(
            "figures/fit.gif", "An animation. Left: the fractals as they are trained. Right: the pictures."
        ),
    ),
    Section(
        "What pre-training data is worth",
        picture(
            "figure5.png",
            "Accuracy on real test images, by the images that the network was pre-trained on. A linear probe"
            " learns from its frozen features; fine-tuning trains all of its weights.",
        ),
    ),
    Section(
        "What a network learns from a stored set",
        picture(
            "distill.png",
            "Accuracy on real test images, by what the network was trained on: fractals in red, real images"
            " in black. Gray are published figures of others, of a wider network. The table has random"
            " fractals, too.",
        ),
    ),
    Section("Error by step", picture("figure3.png")),
    Section("Targets and reconstructions", picture("figure4.png")),
    Section("Table 1", table("table1.csv")),
    Section("Accuracies", table("figure5.csv")),
    Section("Accuracies of all seeds", table("distill.csv")),
    Section("Later evaluations", text("evaluations.jsonl", "evaluations.jsonl")),
    Section("Options", text("config.yaml", "config.yaml, which --config takes to make the run again")),
    Section("Environment", environment),
)
