"""A page about runs, in one file: results, pictures, and the fractals, which can be zoomed into."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fractalgan import __version__
from fractalgan.errors import InputError
from fractalgan.reports import distill, figure5
from fractalgan.reports.living_fractals import colormap, living_fractals
from fractalgan.reports.next_steps import quote
from fractalgan.reports.page_charts import charts_of, read_curves
from fractalgan.reports.page_sections import SECTIONS, Content, read_json
from fractalgan.reports.summary import Summary
from fractalgan.storage import RunFolder, atomic_write, shipped_fractals

FOLDER = Path(__file__).parent / "page"
PAGE = "report.html"

# What an experiment found, in lines, by an entry that only its summary has.
EXPERIMENTS = {
    "learned_against": figure5.lines,
    "learned_against_random": figure5.lines,  # of earlier versions
    "images_per_class": distill.lines,
}


def write_page(runs: list[RunFolder], path: Path | None = None) -> Path:
    """Write a page about runs, side by side.

    Args:
        runs: one or more.
        path: the file; default: ``report.html`` in the folder of the only run.

    Returns:
        The path of the page.

    Raises:
        InputError: for a folder that has no run, and for several runs without a path.
    """
    for run in runs:
        if not run.config.is_file():
            raise InputError(f"{run} is not a run folder: it has no config.yaml")
    if path is None:
        if len(runs) > 1:
            raise InputError(
                "a page about several runs needs a file: set --out, for example --out report.html"
            )
        path = runs[0].path / PAGE
    atomic_write(path, page_text(runs))
    return path


def page_text(runs: list[RunFolder]) -> str:
    """The page as HTML, with everything it needs."""
    reports = [_run_report(place, run) for place, run in enumerate(runs)]
    living = [report.pop("living") for report in reports]
    names = [report["name"] for report in reports]
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja").render(
        title=names[0] if len(names) == 1 else f"{len(names)} runs side by side",
        version=__version__,
        runs=reports,
        metrics=_metrics([report["metrics"] for report in reports]),
        charts=charts_of([read_curves(run) for run in runs], names),
        css=_own("page.css"),
        data=_as_json({"runs": living, "colors": colormap()}),
        fractal_script=_own("fractal.js"),
        viewer_script=_own("viewer.js"),
    )


def _run_report(place: int, run: RunFolder) -> dict[str, Any]:
    """What the template shows of one run."""
    summary = Summary.read(run)
    gallery, numbers = living_fractals(run) or (None, {"window": 1.0, "fractals": []})
    sections: dict[str, Content | None] = {"Fractals": gallery}
    sections |= {section.title: section.of(run) for section in SECTIONS}
    return {
        "place": place,
        "name": run.path.resolve().name,
        "headline": summary.lines(run)[0] if summary else "",
        "findings": summary.findings if summary else [],
        "warnings": summary.warnings if summary else [],
        "metrics": summary.metrics if summary else {},
        "commands": _commands(run),
        "sections": {title: content for title, content in sections.items() if content},
        "living": numbers | {"name": run.path.resolve().name, "source": _as_argument(run)},
    } | ({} if summary else _of_experiment(run))


def _as_argument(run: RunFolder) -> str:
    """The folder as `draw` takes it, also where it has the name of fractals that ship with the package."""
    return quote(f"./{run}" if str(run) in shipped_fractals() else run)


def _of_experiment(run: RunFolder) -> dict[str, Any]:
    """The headline and the findings of a run without the summary of a training."""
    if not run.summary.is_file():
        return {"headline": "The run has not finished yet."}
    summary = read_json(run.summary)
    if not summary:
        return {"headline": "summary.json cannot be read."}
    headline = {"headline": "An experiment of several parts."}
    try:
        return headline | next(
            ({"findings": lines(summary)} for name, lines in EXPERIMENTS.items() if name in summary), {}
        )
    except (LookupError, TypeError, AttributeError, ValueError):
        return headline


def _commands(run: RunFolder) -> list[tuple[str, str]]:
    """How the run was started."""
    try:
        return [("Started by", str(read_json(run.environment)[0]["command"]))]
    except (LookupError, TypeError):
        return []


def _metrics(of_runs: list[dict[str, float]]) -> list[tuple[str, list[str]]]:
    names = dict.fromkeys(name for metrics in of_runs for name in metrics)
    return [
        (name.removeprefix("val/"), [f"{each[name]:.4g}" if name in each else "-" for each in of_runs])
        for name in names
    ]


def _own(name: str) -> Markup:
    """A file of ours, as it is: no text of a run is in it."""
    return Markup((FOLDER / name).read_text())


def _as_json(content: Any) -> Markup:
    """JSON for a script element, which no text in it can end."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
