"""`--trainer.logger`: TensorBoard's HPARAMS tab, MLflow and Weights & Biases, also over interruptions.

MLflow is the real one, with its file store. Weights & Biases is a stand-in for the few functions that
Lightning's logger calls: the package is large, and starts a program of its own.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonargparse import Namespace
from mlflow import MlflowClient, set_tracking_uri
from pytorch_lightning.loggers import wandb as lightning_wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from fractalgan.callbacks import EventsLogger, JsonLinesLogger
from fractalgan.cli.loggers import fit_loggers, logged_options
from fractalgan.storage import RunFolder
from fractalgan.tasks import FractalGAN
from tests.cli.folders import rows, signalled
from tests.conftest import TINY, TINY_RECONSTRUCTION

Call = Callable[..., int]
Trained = Callable[[str, str], Path]

MLFLOW, WANDB = "--trainer.logger=mlflow", "--trainer.logger=wandb"
STEPS = [3, 6]  # of the validations


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    """MLflow's file store in an empty folder."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/store")
    yield MlflowClient(f"file:{tmp_path}/store")
    set_tracking_uri(None)


def dying(step: int) -> Callable[..., Any]:
    """A training step that ends the program, without saving anything, when ``step`` steps are done."""
    training_step = FractalGAN.training_step

    def die(self: FractalGAN, batch: Any, batch_idx: int) -> Any:
        if self.global_step == step:
            raise SystemExit(9)
        return training_step(self, batch, batch_idx)

    return die


def logged_rows(client: MlflowClient, run_id: str) -> dict[str, list[tuple[int, float]]]:
    """The steps and values of every metric of an MLflow run."""
    names = client.get_run(run_id).data.metrics
    return {
        name: [(each.step, each.value) for each in client.get_metric_history(run_id, name)] for name in names
    }


def expected_rows(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The same of a metrics.jsonl."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows(folder):
        for name, value in row.items():
            if name != "step":
                found.setdefault(name, []).append((row["step"], value))
    return found


def the_run(client: MlflowClient) -> Any:
    """The only MLflow run."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    (found,) = client.search_runs(experiments)
    return found


# -- TensorBoard -------------------------------------------------------------------------------


def hyper_parameters(folder: Path) -> dict[str, Any]:
    """What the HPARAMS tab shows of a run, which must be written once."""
    values = [
        value
        for path in sorted(folder.glob("events.*"))
        for event in LegacyEventFileLoader(str(path)).Load()
        for value in event.summary.value
    ]
    (content,) = [each.metadata.plugin_data.content for each in values if each.tag.startswith("_hparams_")]
    found = HParamsPluginData.FromString(content).session_start_info.hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in found.items()}


def test_hyper_parameters_are_plain_and_beside_the_monitored_metric(trained: Trained) -> None:
    folder = trained("gan", "mine")
    found = hyper_parameters(folder)
    assert found["model"] == "fractalgan.FractalGAN"
    assert found["model.num_fractals"] == 4
    assert found["model.generator_betas"] == "[0.5, 0.99]"
    assert found["model.tau"] == "null"
    assert (found["data.name"], found["data.ignore_invalid"]) == ("digits", "false")
    assert (found["seed_everything"], found["trainer.max_steps"]) == (0, 6)
    events = EventAccumulator(str(folder)).Reload()
    assert [each.step for each in events.Scalars(FractalGAN.monitor)] == STEPS


def test_resumed_run_has_its_hyper_parameters_once(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("gan", "whole")
    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", signalled(FractalGAN, 3, signal.SIGTERM))
        assert call("fit", *TINY, "--run=halves") == 143
    assert call("fit", *TINY, "--run=halves") == 0
    assert hyper_parameters(Path("halves")) == hyper_parameters(Path("whole"))


def test_options_of_all_kinds_become_plain_values() -> None:
    config = "{seed_everything: 1, run: a, trainer: {max_steps: 5, devices: 2}, data: {class_path: x.Y}, "
    config += "model: {class_path: a.B, init_args: {c: [1, null], d: {e: true}, f: null, g: 0.5, h: i}}}"
    assert logged_options(config) == {
        "seed_everything": 1,
        "trainer.max_steps": 5,
        "data": "x.Y",
        "model": "a.B",
        "model.c": "[1, null]",
        "model.d.e": "true",
        "model.f": "null",
        "model.g": 0.5,
        "model.h": "i",
    }


# -- MLflow ------------------------------------------------------------------------------------


def test_mlflow_has_all_that_is_logged(call: Call, store: MlflowClient) -> None:
    assert call("fit", *TINY, "--trainer.logger=[tensorboard,mlflow]", "--run=runs/mine") == 0
    run = the_run(store)
    assert (run.info.run_name, run.info.status) == ("mine", "FINISHED")
    assert run.data.params["model.num_fractals"] == "4"
    assert run.data.params["data.name"] == "digits"
    assert logged_rows(store, run.info.run_id) == expected_rows(Path("runs/mine"))
    pictures = [Path(each.path).name for each in store.list_artifacts(run.info.run_id, "images")]
    assert sum("fractals" in name and name.endswith(".png") for name in pictures) == 1 + len(STEPS)
    assert sum("real" in name and name.endswith(".png") for name in pictures) == 1
    assert hyper_parameters(Path("runs/mine"))["model.num_fractals"] == 4
    assert "store" not in Path("runs/mine/trackers.json").read_text()  # it may contain a password


def test_interrupted_run_is_one_mlflow_run(
    call: Call, trained: Trained, store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by a signal, then killed at step 5, after the checkpoint of step 3 and the row of step 4."""
    trained("gan", "whole")
    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", signalled(FractalGAN, 1, signal.SIGTERM))
        assert call("fit", *TINY, MLFLOW, "--run=mine") == 143
    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", dying(5))
        with pytest.raises(SystemExit):
            call("fit", *TINY, MLFLOW, "--run=mine")
    run_id = the_run(store).info.run_id
    assert max(each.step for each in store.get_metric_history(run_id, "train/generator_loss")) == 4
    assert call("fit", *TINY, MLFLOW, "--run=mine") == 0
    assert rows(Path("mine")) == rows(Path("whole"))
    assert the_run(store).info.run_id == run_id
    assert the_run(store).info.status == "FINISHED"
    assert logged_rows(store, run_id) == expected_rows(Path("whole"))


def test_extended_run_keeps_the_parameters_of_its_start(call: Call, store: MlflowClient) -> None:
    """MLflow does not let a parameter change."""
    assert call("fit", *TINY, MLFLOW, "--run=mine") == 0
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=8") == 0
    run = the_run(store)
    assert run.data.params["trainer.max_steps"] == "6"
    assert logged_rows(store, run.info.run_id) == expected_rows(Path("mine"))


@pytest.mark.usefixtures("store")
def test_branch_is_another_mlflow_run(call: Call) -> None:
    assert call("fit", *TINY, MLFLOW, "--run=mine") == 0
    best = "--ckpt_path=mine/checkpoints/best.ckpt"
    assert call("fit", *TINY, MLFLOW, best, "--run=other", "--trainer.max_steps=8") == 0
    first, second = (json.loads(Path(name, "trackers.json").read_text()) for name in ("mine", "other"))
    assert first["mlflow"]["run_id"] != second["mlflow"]["run_id"]


@pytest.mark.usefixtures("store")
def test_mlflow_run_that_is_missing_gets_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("fit", *TINY, MLFLOW, "--run=mine") == 0
    before = Path("mine/checkpoints/last.ckpt").read_bytes()
    set_tracking_uri(None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:elsewhere")
    capsys.readouterr()
    extended = ["fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=8"]
    assert call(*extended) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "not found: check MLFLOW_TRACKING_URI, or remove mine/trackers.json to start a new" in message
    assert Path("mine/checkpoints/last.ckpt").read_bytes() == before
    Path("mine/trackers.json").write_text("{")
    assert call(*extended) == 2
    assert "mine/trackers.json is damaged: remove it" in capsys.readouterr().err
    Path("mine/trackers.json").unlink()
    assert call(*extended) == 0


def test_reconstruction_logs_its_animation(call: Call, store: MlflowClient) -> None:
    options = ["--config=reconstruction_32px.yaml", *TINY_RECONSTRUCTION, "--run=mine"]
    assert call("fit", *options, MLFLOW) == 0
    run_id = the_run(store).info.run_id
    assert "images/fit.gif" in [each.path for each in store.list_artifacts(run_id, "images")]


@pytest.mark.usefixtures("store")
def test_other_ranks_have_no_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options, run = Namespace(logger=["tensorboard", "mlflow"]), RunFolder(tmp_path / "mine")
    assert len(fit_loggers(options, run, None)) == 3
    monkeypatch.setattr("fractalgan.cli.loggers.is_rank_zero", lambda: False)
    assert [type(each) for each in fit_loggers(options, run, None)] == [JsonLinesLogger, EventsLogger]


# -- Weights & Biases --------------------------------------------------------------------------


class FakeRun:
    """A run of wandb: what was logged to it, by the id it was started with."""

    logged: dict[str, list[dict]] = {}

    def __init__(self, **options: Any) -> None:
        self.id, self.name, self.options = options["id"], options["name"], options
        self.config: dict[str, Any] = {}
        self.rows = self.logged.setdefault(self.id, [])

    def log(self, metrics: dict) -> None:
        self.rows.append(metrics)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for the package."""
    names = ("wandb", "wandb.sdk", "wandb.sdk.lib", "wandb.wandb_run")
    package, sdk, lib, run = (ModuleType(name) for name in names)
    package.__spec__ = ModuleSpec("wandb", None, origin="stand-in")
    package.run, package.init, package.Error = None, FakeRun, type("Error", (Exception,), {})
    package.Image = lambda picture: picture
    run.Run = lib.RunDisabled = type("RunDisabled", (), {})
    for module in (package, sdk, lib, run):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(lightning_wandb, "_WANDB_AVAILABLE", True)
    monkeypatch.setattr(FakeRun, "logged", {})
    return package


@pytest.mark.usefixtures("wandb")
def test_interrupted_run_is_one_run_of_wandb(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after step 16, and again before it was there, when metrics.jsonl had lost the rows after 10.

    Checkpoints are of steps 9 and 18, rows of every second step and of the validations.
    """
    longer = [*TINY, "--trainer.max_steps=18", "--trainer.val_check_interval=9"]
    assert call("fit", *longer, "--run=whole") == 0
    for step in (17, 11):
        with monkeypatch.context() as patch:
            patch.setattr(FractalGAN, "training_step", dying(step))
            with pytest.raises(SystemExit):
                call("fit", *longer, WANDB, "--run=mine")
    assert max(row["step"] for row in rows(Path("mine"))) == 10
    assert call("fit", *longer, WANDB, "--run=mine") == 0
    ((run_id, logged),) = FakeRun.logged.items()
    tracker = json.loads(Path("mine/trackers.json").read_text())["wandb"]
    assert tracker == {"id": run_id, "project": "fractalgan"}
    found: dict[str, list[tuple[int, float]]] = {}
    for row in logged:
        step = row.pop("trainer/global_step")
        for name, value in row.items():
            found.setdefault(name, []).append((step, value))
    pictures = found.pop("images/fractals")
    assert [step for step, _ in pictures] == [0, 9, 18]
    assert len(found.pop("images/real")) == 1
    assert found == expected_rows(Path("whole"))


def test_wandb_that_cannot_start_gets_one_line(
    call: Call, wandb: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def init(**_: Any) -> None:
        raise wandb.Error("No API key.")

    monkeypatch.setattr(wandb, "init", init)
    assert call("fit", *TINY, WANDB, "--run=mine") == 2
    expected = "Weights & Biases: No API key: run `wandb login`, or set WANDB_MODE=offline\n"
    assert capsys.readouterr().err.endswith(expected)
    assert not Path("mine").exists()


# -- wrong options -----------------------------------------------------------------------------

CHOICES = "--trainer.logger: expected one of tensorboard, mlflow, wandb, a list of them, or a class, got"
NOT_INSTALLED = "--trainer.logger wandb needs wandb, which is missing: pip install 'fractalgan[wandb]'"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("mlflw", f"{CHOICES} mlflw"),
        ("[mlflow,tensorbord]", f"{CHOICES} tensorbord"),
        ("tensorboard,mlflow", f"{CHOICES} tensorboard,mlflow; a list is written as [tensorboard,mlflow]"),
        ("wandb", NOT_INSTALLED),
        ("[tensorboard,wandb]", NOT_INSTALLED),
    ],
)
def test_wrong_logger_gets_one_line(
    call: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: str, message: str
) -> None:
    monkeypatch.setattr("fractalgan.errors.find_spec", lambda _: None)
    assert call("fit", *TINY, f"--trainer.logger={given}") == 2
    assert capsys.readouterr().err == f"fractalgan: error: {message}\n"
    assert not Path("runs").exists()


def test_no_logger_and_a_class_of_lightning(call: Call) -> None:
    assert call("fit", *TINY, "--run=none", "--trainer.logger=false") == 0
    assert not Path("none/metrics.jsonl").exists()
    csv = ["--trainer.logger=pytorch_lightning.loggers.CSVLogger", "--trainer.logger.save_dir=csv"]
    assert call("fit", *TINY, "--run=both", *csv) == 0
    assert Path("both/metrics.jsonl").exists()
    assert list(Path("csv").rglob("metrics.csv"))
