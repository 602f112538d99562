"""`ablate`: every row of Table 1 on small data, resuming, and invalid input."""

import csv
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fractalgan import FractalAutoencoder, InverseEncoder, RandomFractalData
from fractalgan.cli.program import run
from fractalgan.experiments import quiet_trainer, run_cells
from fractalgan.experiments.table1 import ROWS, AblationPlan

Call = Callable[..., int]
CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("ablation_*.yaml"))
SMALL = [
    "--plan.workers=1",  # a process that imports torch takes seconds to start
    "--plan.count=3",
    "--plan.steps=4",
    "--plan.seeds=2",
    "--plan.size=16",
    '--plan.options={"num_points": 20, "num_transforms": 3, "num_sequences": 16}',
]

# Several runs, each with worker processes.
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("warm_workers")]


@pytest.fixture
def ablate_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(["ablate", *arguments])


def test_table_is_complete_and_can_be_resumed(ablate_here: Call, capsys: pytest.CaptureFixture[str]) -> None:
    given = [*SMALL, "--plan.workers=2", "--plan.rows=[F,raw,best]", "--run=whole"]
    given += ["--plan.data=[digits,fractaldb]"]
    assert ablate_here(*given) == 0
    assert "### fractaldb" in capsys.readouterr().out
    rows = [json.loads(line) for line in Path("whole/cells.jsonl").read_text().splitlines()]
    assert len(rows) == 2 * 3 * 2
    assert len({(row["data"], row["row"], row["seed"]) for row in rows}) == len(rows)
    for row in rows:
        assert 0 < row["mse_min"] < row["mse_mean"] < row["mse_max"] < 1
        assert len(row["curve"]) == 4
    with Path("whole/table1.csv").open() as file:
        assert [float(row["mse_min"]) for row in csv.DictReader(file)] == [row["mse_min"] for row in rows]
    assert {"figure3.png", "figure4.png", "summary.json", "table1.md"} <= {
        path.name for path in Path("whole").iterdir()
    }

    strips = {path.name: path.read_bytes() for path in Path("whole/strips").iterdir()}
    assert len(strips) == 2 + 2 * 3 * 2  # the targets, and the reconstructions of each row
    kept = Path("whole/cells.jsonl").read_bytes()
    lines = kept.splitlines(keepends=True)
    Path("whole/cells.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:30])  # killed while writing
    assert ablate_here("--run=whole", "--plan.workers=1") == 0
    assert strips == {path.name: path.read_bytes() for path in Path("whole/strips").iterdir()}
    assert Path("whole/cells.jsonl").read_bytes() == kept
    assert ablate_here("--run=whole", "--plan.rows=[C]", "--plan.data=[digits]") == 0  # one more
    assert Path("whole/cells.jsonl").read_text().count('"row": "C"') == 2
    assert "fractaldb" in Path("whole/table1.md").read_text()
    kept = Path("whole/cells.jsonl").read_bytes()
    assert ablate_here("--run=whole", "--plan.steps=5") == 2
    assert "started with different options (--plan.steps was 4, now 5)" in capsys.readouterr().err
    assert Path("whole/cells.jsonl").read_bytes() == kept


def test_rows_that_start_from_an_encoders_prediction(
    ablate_here: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = InverseEncoder(num_transforms=3, image_size=16)
    data = RandomFractalData(num_fractals=8, num_transforms=3, size=16, batch_size=8)
    trainer = quiet_trainer(2, limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(encoder, data)
    trainer.save_checkpoint("encoder.ckpt")
    given = [*SMALL, "--plan.rows=[B,E,best-encoder]", "--plan.encoder=encoder.ckpt", "--run=whole"]
    assert ablate_here(*given, "--plan.seeds=1") == 0
    rows = [json.loads(line) for line in Path("whole/cells.jsonl").read_text().splitlines()]
    assert {row["row"]: len(row["curve"]) for row in rows} == {"B": 0, "E": 4, "best-encoder": 4}
    trainer.fit_loop.epoch_loop.max_steps = 3
    trainer.fit(encoder, data)
    trainer.save_checkpoint("encoder.ckpt")  # another one under the same name
    assert ablate_here("--run=whole", "--plan.seeds=2") == 2
    assert "has rows of another encoder" in capsys.readouterr().err
    assert ablate_here("--run=whole", "--plan.rows=[E]", "--plan.seeds=2") == 0  # which needs no encoder


def test_row_of_an_autoencoder_is_added_to_a_run_of_another_encoder(
    ablate_here: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"num_transforms": 3, "image_size": 16}
    random = RandomFractalData(num_fractals=8, num_transforms=3, size=16, batch_size=8)
    for name, encoder in {
        "a": InverseEncoder(**options),
        "b": FractalAutoencoder(**options, width=8),
    }.items():
        trainer = quiet_trainer(1, limit_val_batches=0, enable_checkpointing=False)
        trainer.fit(encoder, random)
        trainer.save_checkpoint(f"{name}.ckpt")
    first = [*SMALL, "--plan.rows=[B]", "--plan.seeds=1", "--run=whole"]
    assert ablate_here(*first, "--plan.encoder=b.ckpt") == 2
    said = capsys.readouterr().err
    assert "row B needs a checkpoint of InverseEncoder, b.ckpt is of FractalAutoencoder" in said
    assert (
        ablate_here(*SMALL, "--plan.rows=[B]", "--plan.encoder=a.ckpt", "--plan.seeds=1", "--run=whole") == 0
    )
    added = ["--plan.rows=[autoencoder,best-autoencoder]", "--plan.encoder=b.ckpt"]
    assert ablate_here("--run=whole", "--plan.seeds=1", *added) == 0
    rows = [json.loads(line) for line in Path("whole/cells.jsonl").read_text().splitlines()]
    assert {row["row"]: len(row["curve"]) for row in rows} == {
        "B": 0,
        "autoencoder": 0,
        "best-autoencoder": 4,
    }


def test_cells_of_an_earlier_version_are_reported(ablate_here: Call) -> None:
    assert ablate_here(*SMALL, "--plan.rows=[C]", "--plan.seeds=1", "--run=whole") == 0
    path = Path("whole/cells.jsonl")
    (row,) = (json.loads(line) for line in path.read_text().splitlines())
    older = {name: value for name, value in row.items() if name not in ("psnr", "iou")}
    path.write_text(json.dumps(older) + "\n")
    assert ablate_here("--run=whole", "--plan.seeds=2") == 0
    assert Path("whole/table1.csv").read_text().splitlines()[1].count(",,") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_exit_status_is_that_of_the_signal(
    ablate_here: Call,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    def interrupted(*_: object) -> Iterator[dict]:
        signal.raise_signal(number)
        yield {}

    monkeypatch.setattr(run_cells, "run_jobs", interrupted)
    assert ablate_here(*SMALL, "--run=mine") == 128 + number
    out = capsys.readouterr().out
    assert "interrupted: finished cells are saved" in out
    assert "-m fractalgan ablate --run mine" in out


def test_every_row_has_a_recipe() -> None:
    plan = AblationPlan(count=3, encoder="some.ckpt")
    recipes = {row: plan.task(row, 0).hparams for row in ROWS}
    different = {json.dumps(dict(recipe), sort_keys=True, default=str) for recipe in recipes.values()}
    assert len(different) == len(ROWS) - 1  # two rows differ in their encoder alone
    table = {row: (recipes[row]["objective"], recipes[row]["noise"] > 0) for row in ("C", "D", "E", "F")}
    assert table == {
        "C": ("fixed", False),
        "D": ("fixed", True),
        "E": ("expectation", False),
        "F": ("expectation", True),
    }
    assert recipes["C"]["matrices"] == "unbounded"
    assert recipes["raw"]["matrices"] == "raw"
    # the same number of drawn images for all
    assert {recipe["num_sequences"] for recipe in recipes.values()} == {50}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_runs(
    ablate_here: Call, config: Path, mnist_like: Callable[[str], Path]
) -> None:
    root = f"--plan.root={mnist_like('FashionMNIST')}"
    rows = "--plan.rows=[C]"
    assert ablate_here(f"--config={config}", *SMALL, rows, root, "--plan.seeds=1") == 0
    (summary,) = Path("runs").glob("ablation-*-1/summary.json")
    assert list(json.loads(summary.read_text())) == yaml.safe_load(config.read_text())["plan"]["data"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--plan.rows=[F,G]"], "plan.rows must be among B, C, D, E, F, raw"),
        (["--plan.rows=[B]"], "row B starts from an encoder's prediction: train one with fit --config"),
        (["--plan.rows=[B]", "--plan.encoder=none.ckpt"], "there is no checkpoint none.ckpt"),
        (["--plan.rows=[F,F]"], "plan.rows must be distinct names, at least one"),
        (["--plan.data=[]"], "plan.data must be distinct names, at least one"),
        (["--plan.data=[cats]"], "--plan.data must be among digits"),
        (["--plan.count=999"], "count must be <= 180, the number of images in the test set of digits"),
        (["--plan.split=tests"], "split must be one of train, validation, test, got 'tests'"),
        (["--plan.steps=0"], "plan.steps must be >= 1, got 0"),
        (["--plan.size=4"], "size must be >= 8, got 4"),
        (['--plan.options={"color": 3}'], "plan.options has no option 'color'"),
        (['--plan.options={"matrices": "foo"}'], "--plan.options.matrices: expected one of sigmoid, clamp"),
        (['--plan.options={"num_points": 0}'], "num_points must be >= 1, got 0"),
    ],
)
def test_bad_input_is_one_line(
    ablate_here: Call, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ablate_here(*options) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fractalgan: error: ")
    assert message in line
    assert not Path("runs").exists()
