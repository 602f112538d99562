"""The page of a run, as text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fractalgan.errors import InputError
from fractalgan.reports import write_page
from fractalgan.reports.page_charts import charts_of, read_curves
from fractalgan.storage import RunFolder
from tests.reports.runs import generator, write_run


class Elements(HTMLParser):
    """The elements of a page with their attributes, and all text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data


def data_of(page: str) -> dict:
    match = re.search(r'<script type="application/json" id="fractals">(.*?)</script>', page, re.DOTALL)
    return json.loads(match[1])


def test_page_of_fractals_of_many_transforms_is_not_heavy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "fractalgan.reports.living_fractals._thumbnail", lambda *_: "data:,"
    )  # which take long
    run = write_run(tmp_path / "many", generator(3, count=6, num_transforms=5000))
    page = write_page([run]).read_text()
    text = "The first 4 of 6 fractals, of 5000 transforms each: a page has no more."
    assert text in Elements(page).text
    assert [each["index"] for each in data_of(page)["runs"][0]["fractals"]] == [0, 1, 2, 3]
    assert len(page) < 3_000_000


def test_page_has_result_findings_commands_curves_and_pictures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "gan-1", generator())
    path = write_page([run])
    assert path == tmp_path / "gan-1/report.html"
    elements = Elements(path.read_text())
    for text in (
        "FractalGAN on digits: finished at step 30 after 1:01 min",
        "the discriminator tells all apart: check --data.invert",
        "python -m fractalgan fit",
        "From step to step",
        "3 fractals.",
        "seed_everything: 0",
    ):
        assert text in elements.text
    lines = [attributes for tag, attributes in elements.found if tag == "polyline"]
    assert [line["class"] for line in lines] == ["series-0 dashed", "series-0"]
    frames = [attributes for tag, attributes in elements.found if tag == "img" and "data-step" in attributes]
    assert [frame["data-step"] for frame in frames] == ["0", "10", "20"]
    assert ["hidden" in frame for frame in frames] == [True, True, False]


def test_page_needs_no_network_and_no_other_file(tmp_path: Path) -> None:
    page = write_page([write_run(tmp_path / "gan-1", generator(3))]).read_text()
    for tag, attributes in Elements(page).found:
        for name in ("src", "href", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    assert "default-src 'none'" in page
    assert "@import" not in page


def test_numbers_in_the_page_are_those_of_the_fractals(tmp_path: Path) -> None:
    fractals = generator(3)
    (run,) = data_of(write_page([write_run(tmp_path / "a", fractals)]).read_text())["runs"]
    assert run["window"] == fractals.window
    (A, b), (values, _, background) = fractals.embedding.fractals()
    for index, numbers in enumerate(run["fractals"]):
        assert np.allclose(numbers["A"], A[index].flatten(1).tolist())
        assert np.allclose(numbers["b"], b[index].tolist())
        assert np.allclose(numbers["values"], values[index].tolist())
        assert np.allclose(numbers["background"], background[index].tolist())
        assert sum(numbers["probabilities"]) == pytest.approx(1)


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def test_hostile_names_and_texts_are_text(tmp_path: Path) -> None:
    run = write_run(
        tmp_path / "<script>alert(3)<", generator(), data=HOSTILE, findings=[HOSTILE], warnings=[HOSTILE]
    )
    run.config.write_text(HOSTILE)
    run.environment.write_text(json.dumps([{"command": HOSTILE}]))
    run.metrics.write_text('{"step": 1, "val/<b>": 1}\n{"step": 2, "val/<b>": 2}\n')
    page = write_page([run]).read_text()
    elements = Elements(page)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 3
    assert "b" not in tags
    assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)
    assert elements.text.count(HOSTILE) >= 4
    assert data_of(page)["runs"][0]["name"] == "<script>alert(3)<"


def test_damaged_run_still_has_a_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "damaged")
    run.metrics.write_bytes(b'\xff\xfe{"step": 3}\n{"step": 1, "val/x": NaN}\nnull\n{"val/x": 1}\n[1]\n')
    run.summary.write_text("{")
    run.environment.write_text("[]")
    (run.figures / "fractals_000010.png").write_bytes(b"not a picture")
    elements = Elements(write_page([run]).read_text())
    assert "summary.json cannot be read" in elements.text
    assert sum("data-step" in attributes for _, attributes in elements.found) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.jsonl", '{"step": Infinity, "val/x": 1}\n{"step": 1, "val/x": 1' + 400 * "0" + "}\n"),
        ("environment.json", "[[5]]"),
        ("environment.json", 100_000 * "["),
        ("table1.csv", ""),
        ("table1.csv", "a\n" + 200_000 * "b"),
        ("summary.json", '{"learned_against_random": 3}'),
    ],
)
def test_damaged_file_does_not_prevent_the_page(tmp_path: Path, name: str, content: str) -> None:
    run = write_run(tmp_path / "damaged", generator())
    (run.path / name).write_text(content)
    assert "3 fractals." in Elements(write_page([run]).read_text()).text


def test_run_with_a_shipped_name_shows_its_own_fractals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "digits", generator())
    (run,) = data_of(write_page([RunFolder(Path("digits"))]).read_text())["runs"]
    assert len(run["fractals"]) == 3
    assert run["source"] == "./digits"


def test_exploded_fractals_still_have_a_page(tmp_path: Path) -> None:
    exploded = generator()
    exploded.embedding.b.data[0, 0] = float("nan")
    write_page([write_run(tmp_path / "exploded", exploded)])


def test_experiments_have_their_figures_and_tables(tmp_path: Path) -> None:
    run = write_run(tmp_path / "compare-1")
    (tmp_path / "compare-1/figure5.csv").write_text("source,accuracy\nlearned,0.9\n")
    (tmp_path / "compare-1/figure3.png").write_bytes((run.figures / "fractals_000000.png").read_bytes())
    text = Elements(write_page([run]).read_text()).text
    assert "learned" in text
    assert "Error by step" in text


def test_runs_are_shown_side_by_side(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", generator()), write_run(tmp_path / "b", metrics={"val/y": 2.0})]
    with pytest.raises(InputError, match="set --out"):
        write_page(runs)
    elements = Elements(write_page(runs, tmp_path / "both.html").read_text())
    assert "2 runs side by side" in elements.text
    series = {attributes["class"] for tag, attributes in elements.found if tag == "polyline"}
    assert series == {"series-0", "series-0 dashed", "series-1", "series-1 dashed"}


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        write_page([RunFolder(tmp_path)])


def test_chart_spans_its_steps_and_values(tmp_path: Path) -> None:
    (chart,) = charts_of([{"val/x": [(0, 3.0), (50, 1.0), (100, 2.0)]}], ["a"])
    assert (chart.low, chart.high, chart.first, chart.last) == ("1", "3", 0, 100)
    assert chart.lines[0].points == "40.0,6.0 168.0,130.0 296.0,68.0"
    assert charts_of([{"val/x": [(0, 1.0)]}], ["a"]) == []
    assert read_curves(RunFolder(tmp_path)) == {}
