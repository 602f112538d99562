"""Pictures in loggers."""

from pathlib import Path
from types import SimpleNamespace

import torch
from pytorch_lightning.loggers import MLFlowLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fractalgan.callbacks import EventsLogger
from fractalgan.callbacks.logged_pictures import log_animation, log_picture
from fractalgan.storage import RunFolder


class Recording:
    """Stands for a client: it keeps the calls of all its methods."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def __getattr__(self, name: str):
        return lambda *given, **named: self.calls.append((name, given, named))


class FakeMLflow(MLFlowLogger):
    experiment = None
    run_id = "a1"

    def __init__(self) -> None:
        self.experiment = Recording()


class FakeWandb(WandbLogger):
    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def log_image(self, *given, **named) -> None:
        self.calls.append((given, named))

    log_video = log_image


def test_picture_goes_to_every_logger_once(tmp_path: Path) -> None:
    events, mlflow, wandb = EventsLogger(RunFolder(tmp_path / "run")), FakeMLflow(), FakeWandb()
    trainer = SimpleNamespace(global_step=3, loggers=[events, mlflow, wandb])
    picture = torch.zeros(3, 8, 8)
    for again in (False, True):
        log_picture(trainer, "fractals", picture, again=again)
    events.finalize("success")
    ((name, given, named),) = mlflow.experiment.calls
    assert (name, given[0], given[1].size) == ("log_image", "a1", (8, 8))
    assert named == {"key": "images/fractals", "step": 3}
    ((given, _),) = wandb.calls
    assert (given[0], given[1][0].size, given[2]) == ("images/fractals", (8, 8), 3)
    logged = EventAccumulator(str(tmp_path / "run")).Reload()
    assert {each.step for each in logged.Images("images/fractals")} == {3}


def test_animation_goes_where_it_can_be_shown(tmp_path: Path) -> None:
    events, mlflow, wandb = EventsLogger(RunFolder(tmp_path / "run")), FakeMLflow(), FakeWandb()
    trainer = SimpleNamespace(global_step=6, loggers=[events, mlflow, wandb])
    log_animation(trainer, "fit", tmp_path / "fit.gif")
    assert mlflow.experiment.calls == [("log_artifact", ("a1", str(tmp_path / "fit.gif"), "images"), {})]
    assert wandb.calls == [(("images/fit", [str(tmp_path / "fit.gif")], 6), {"format": ["gif"]})]
