"""`distill` on small data, from the exemplars to the table."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fractalgan.cli.program import run
from fractalgan.reports import distill
from fractalgan.storage.resources import CONFIGS

TABLES = sorted(CONFIGS.glob("distill_*.yaml"))

TINY_TABLE = [
    "--plan.workers=1",  # a process that imports torch takes seconds to start
    "--plan.seeds=2",
    "--plan.images_per_class=[1]",
    "--plan.num_transforms=3",
    "--plan.jitters=[0.0,0.05]",
    "--data.size=16",
    "--classifier.steps=2",
    "--classifier.batch_size=10",
    "--classifier.width=4",
    "--reconstruction.steps=2",
    "--reconstruction.start=even",
    "--reconstruction.candidates=1",
    "--reconstruction.halvings=[]",
    "--reconstruction.num_sequences=2",
    "--gan.steps=2",
    "--gan.batch_size=20",
    "--distillation.steps=2",
    "--distillation.batch_size=20",
    "--distillation.num_images=20",
    "--distillation.width=4",
    "--distillation.networks=2",
    "--run=table",
]

RESULTS = ("distill.csv", "distill.md", "distill.png", "summary.json")  # which have no seconds

# Several runs, each with worker processes.
pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("warm_workers")]


@pytest.fixture
def distill_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(["distill", *arguments])


def results(folder: Path = Path("table")) -> dict[str, bytes]:
    """The bytes of the results and of the fractals."""
    paths = [*(folder / name for name in RESULTS), *(folder / "fractals").iterdir()]
    return {path.name: path.read_bytes() for path in paths}


def cells(folder: Path = Path("table")) -> list[dict]:
    return [json.loads(line) for line in (folder / "cells.jsonl").read_text().splitlines()]


def test_table_is_complete_and_can_be_resumed(
    distill_here: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert distill_here(*TINY_TABLE, "--plan.workers=2") == 0
    folder, whole = Path("table"), results()
    for name in (*RESULTS, "config.yaml", "environment.json", "report.html"):
        assert (folder / name).is_file(), name
    found = cells()
    assert {(each["source"], each["seed"]) for each in found} == {
        (source, seed) for source in distill.SOURCES for seed in (0, 1)
    }
    for each in found:
        assert each.keys() == {*distill.COLUMNS, "seconds"}
        assert (each["jitter"] is None) == (each["source"] in distill.IMAGES)
        assert each["numbers"] <= 640 or each["source"] in distill.IMAGES
    assert {each["per_class"] for each in found} == {3}
    jitters = {(each["source"], each["jitter"]) for each in found}
    assert len(jitters) == len(distill.SOURCES)  # all seeds have that of the first
    out, err = capsys.readouterr()
    assert "### 1 image per class: 640 numbers\n" in out
    assert "cell 14 of 14" in err

    # killed with a third of the cells and some of the fractals done, and the last line incomplete
    lines = (folder / "cells.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "cells.jsonl").write_bytes(b"".join(lines[::3]) + lines[1][:-9])
    for name in ("distilled-1-1", "exemplars-1-0", "gan-1-0"):
        (folder / f"fractals/{name}.safetensors").unlink()
    assert distill_here("--run=table") == 0
    assert results() == whole

    # with another number of workers, and in another order
    some = ["random", "random-pixels", "distilled"]
    rest = [each for each in distill.SOURCES if each not in some]
    for number, sources in ((6, some), (14, rest)):
        assert distill_here(*TINY_TABLE, f"--plan.sources={json.dumps(sources)}", "--run=other") == 0
        assert len(cells(Path("other"))) == number
    assert results(Path("other")) == whole

    capsys.readouterr()
    assert distill_here(*TINY_TABLE, "--gan.steps=3") == 2
    assert "was started with different options (--gan.steps was 2, now 3)" in capsys.readouterr().err
    assert distill_here("--run=table", "--plan.seeds=3", "--plan.sources=[pixels]") == 0
    assert len(cells()) == 15


def test_killed_process_goes_on_to_the_same_bytes(distill_here: Callable[..., int]) -> None:
    """In processes of its own, killed while it learns."""
    few = [*TINY_TABLE, "--plan.sources=[distilled,random]"]
    assert distill_here(*few, "--run=whole") == 0
    command = [sys.executable, "-m", "fractalgan", "distill", *few]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as killed:
        deadline = time.monotonic() + 120
        while not Path("table/fractals").is_dir() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(killed.pid, signal.SIGKILL)
    assert Path("table/fractals").is_dir()
    assert not Path("table/distill.csv").exists()
    assert distill_here("--run=table") == 0
    assert results() == results(Path("whole"))


def test_interrupted_table_says_how_to_resume(
    distill_here: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt("SIGTERM")

    monkeypatch.setattr("fractalgan.experiments.distillation_table.run_cells", interrupted)
    assert distill_here(*TINY_TABLE) == 143
    assert "python -m fractalgan distill --run table" in capsys.readouterr().out


@pytest.mark.parametrize("config", TABLES, ids=lambda path: path.stem)
def test_every_shipped_config_runs(
    config: Path, distill_here: Callable[..., int], mnist_like: Callable[[str], Path]
) -> None:
    options = ["--plan.seeds=1", "--plan.jitters=[0.02]"]
    names = {"distill_mnist": "MNIST", "distill_fashion_mnist": "FashionMNIST"}
    if name := names.get(config.stem):
        # of ten random images in each class there are two for training: a few long fractals
        options += [f"--data.root={mnist_like(name)}", "--plan.num_transforms=60"]
    assert distill_here("--config", str(config), *TINY_TABLE, *options) == 0
    text = Path("table/distill.md").read_text()
    assert ("| DSA, width 128 (published) | 1 image | 7,840 |" in text) == (name is not None)
    with Path("table/distill.csv").open(newline="") as file:
        assert {row["source"] for row in csv.DictReader(file)} == set(distill.SOURCES)


def test_own_images_in_color(distill_here: Callable[..., int], image_folder: Path) -> None:
    options = ["--data.name=folder", f"--data.root={image_folder}", "--data.channels=3", "--plan.seeds=1"]
    options += ["--plan.num_transforms=20", "--plan.sources=[exemplars,gan,random,pixels]"]
    assert distill_here(*TINY_TABLE, *options) == 0
    assert {(each["source"], each["per_class"], each["numbers"]) for each in cells()} == {
        ("exemplars", 4, 2 * 4 * (20 * 9 + 3) + 7),
        ("gan", 4, 2 * 4 * (20 * 9 + 4) + 7),
        ("random", 4, 2 * 4 * (20 * 9 + 3) + 7),
        ("pixels", 4, 2 * 4 * 768),
    }


BAD = {
    "seeds": (["--plan.seeds=0"], "--plan.seeds must be >= 1"),
    "source": (["--plan.sources=[cats]"], "--plan.sources must be among distilled, exemplars"),
    "sources": (["--plan.sources=cats"], "--plan.sources: expected a list such as [cats], got cats"),
    "no storage": (["--plan.images_per_class=[0]"], "--plan.images_per_class[0] must be >= 1, got 0"),
    "no fractal": (
        ["--plan.num_transforms=30"],
        "the storage of 1 image per class has no room for one fractal",
    ),
    "no transforms": (["--plan.num_transforms=0"], "--plan.num_transforms must be >= 1, got 0"),
    "too many": (
        ["--plan.images_per_class=[100]"],
        "fractals per class, each of an image, but a class has only",
    ),
    "jitter": (["--plan.jitters=[-1]"], "--plan.jitters[0] must be >= 0"),
    "features": (["--plan.features=3"], "--plan.features must be null, 0 or 1 for images in grayscale"),
    "device": (["--plan.accelerator=tpu"], "--plan.accelerator"),
    "precision": (["--plan.precision=16-mixed"], "--plan.precision"),
    "no labels": (
        ["--data.name=folder", "--data.root=flat"],
        "a classifier needs labels of two or more classes, but folder has 0: put",
    ),
    "no data": (["--data.name=folder", "--data.root=missing"], "missing"),
    "width": (["--classifier.width=0"], "--classifier.width must be >= 1, got 0"),
    "size": (["--data.size=7"], "--data.size must be >= 8 for a ConvNet, got 7"),
    "steps": (["--classifier.steps=0"], "--classifier.steps"),
    "learning rate": (["--gan.generator_lr=-1"], "--gan.generator_lr must be > 0"),
    "ridge": (["--distillation.ridge=0"], "--distillation.ridge must be > 0"),
    "few images": (["--distillation.num_images=3"], "--distillation.num_images must be >= "),
    "width of a LeNet": (
        ["--distillation.network=lenet", "--distillation.width=8"],
        "--distillation.width must be null for a lenet",
    ),
    "start": (["--reconstruction.start=middle"], "start must be one of"),
    "no class of the GAN": (["--gan.conditional=null"], "--gan.conditional must be projection or auxiliary"),
    "levels": (["--plan.features=1", "--gan.binarize=0.2"], "--gan.binarize must be auto or null"),
    "misspelled": (["--plan.sauces=[gan]"], "did you mean"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line(
    case: str, distill_here: Callable[..., int], image_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options, message = BAD[case]
    Path("flat").mkdir()
    for number, path in enumerate(sorted(image_folder.rglob("*.png"))):
        path.rename(f"flat/{number}.png")
    assert distill_here(*TINY_TABLE, *options) == 2
    err = capfd.readouterr().err
    errors = [line for line in err.splitlines() if line.startswith("fractalgan: error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in err
    assert not Path("table").exists()
