"""The command line in-process: runs, their folders, resuming, bad input."""

import contextlib
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from pytorch_lightning.strategies import SingleDeviceStrategy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fractalgan.run_folder import RunFolder
from fractalgan.tasks import FractalGAN, InverseEncoder, LinearProbe, Pretraining, Reconstruction, Task
from tests.conftest import TINY, TINY_ENCODER, TINY_PRETRAINING, TINY_RECONSTRUCTION

Call = Callable[..., int]
CONFIG = Path(__file__).parents[2] / "configs"
CONFIGS = sorted(CONFIG.glob("[!ac]*.yaml"))  # not of ablate, compare


TASKS: dict[str, tuple[type[Task], list[str]]] = {
    "gan": (FractalGAN, TINY),
    "encoder": (InverseEncoder, [f"--config={CONFIG / 'inverse_encoder.yaml'}", *TINY_ENCODER]),
    "reconstruction": (Reconstruction, [f"--config={CONFIG / 'reconstruction.yaml'}", *TINY_RECONSTRUCTION]),
    "pretraining": (Pretraining, [f"--config={CONFIG / 'pretraining.yaml'}", *TINY_PRETRAINING]),
    "probe": (
        LinearProbe,
        [f"--config={CONFIG / 'probe.yaml'}", "--data.size=16", "--trainer.val_check_interval=3"],
    ),
}


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def read_pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_time_limit_logs_the_step_that_it_ends(call: Call) -> None:
    """And no other row twice, though the loggers are to write but every 30th step."""
    limit = ["--trainer.max_steps=-1", "--trainer.max_time=00:00:00:02", "--trainer.log_every_n_steps=30"]
    assert call("fit", *TINY, *limit, "--run=limited") == 0
    trained = [row["step"] for row in rows(Path("limited")) if "train/generator_loss" in row]
    assert trained == sorted(set(trained))
    assert trained[-1] == json.loads(Path("limited/summary.json").read_text())["step"]


def test_fit_leaves_the_whole_folder(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY) == 0
    folder = Path("runs/gan-digits-1")
    for name in [
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "summary.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    ]:
        assert (folder / name).is_file(), name
    assert list(folder.glob("events.out.tfevents.*"))
    pictures = {path.name: read_pixels(path).shape[1::-1] for path in (folder / "figures").iterdir()}
    grid = (2 + 4 * 66, 68)  # 4 images of 16 x 16, each pixel 4 x 4, 2 pixels between
    assert pictures["fractals_000000.png"] == pictures["fractals_000006.png"] == grid
    assert {"real.png", "fractals_000003.png", "before_after_real.png"} <= pictures.keys()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["finished"]
    assert summary["step"] == 6
    assert summary["best"] == pytest.approx(min(r["val/frechet_pixels"] for r in rows(folder) if len(r) > 7))
    out = capsys.readouterr().out
    assert "run folder: runs/gan-digits-1" in out
    assert "-m fractalgan predict --ckpt_path runs/gan-digits-1/checkpoints/best.ckpt" in out


def test_metrics_and_events_count_batches(call: Call) -> None:
    assert call("fit", *TINY) == 0
    folder = Path("runs/gan-digits-1")
    assert [row["step"] for row in rows(folder)] == [2, 3, 4, 6, 6]
    events = EventAccumulator(str(folder)).Reload()
    assert [e.step for e in events.Scalars("train/generator_loss")] == [2, 4, 6]
    assert [e.step for e in events.Scalars("val/collapsed")] == [3, 6]
    assert {"images/fractals", "images/real"} <= set(events.Tags()["images"])
    assert [e.step for e in events.Images("images/fractals")] == [0, 3, 6]


def test_second_run_gets_a_folder_of_its_own(call: Call) -> None:
    assert call("fit", *TINY) == 0
    before = content(Path("runs"))
    assert call("fit", *TINY, "--seed_everything=1") == 0
    after = content(Path("runs"))
    assert all(after[path] == data for path, data in before.items())
    first, second = (weights(Path(f"runs/gan-digits-{n}/checkpoints/last.ckpt")) for n in (1, 2))
    assert not first["generator.embedding.b"].equal(second["generator.embedding.b"])


def test_config_of_a_run_makes_the_run_again(call: Call) -> None:
    assert call("fit", *TINY) == 0
    assert call("fit", "--config", "runs/gan-digits-1/config.yaml") == 0
    first, second = (weights(Path(f"runs/gan-digits-{n}/checkpoints/last.ckpt")) for n in (1, 2))
    assert all(first[name].equal(second[name]) for name in first)
    assert rows(Path("runs/gan-digits-1")) == rows(Path("runs/gan-digits-2"))


@pytest.mark.parametrize(
    ("stop_after", "number"),
    [(1, signal.SIGINT), (2, signal.SIGTERM), (3, signal.SIGUSR1), (4, signal.SIGTERM), (5, signal.SIGINT)],
)
def test_run_that_was_stopped_goes_on_as_if_it_had_not(
    call: Call,
    stop_after: int,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Same weights to the bit, same rows, no gap and no double one, wherever the signal comes."""
    assert call("fit", *TINY, "--run=runs/whole") == 0

    step = FractalGAN.training_step

    def interrupted(self: FractalGAN, batch, batch_idx: int) -> None:
        if self.global_step == stop_after - 1:
            signal.raise_signal(number)
        step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", interrupted)
        capsys.readouterr()
        assert call("fit", *TINY, "--run=runs/halves") == 128 + number
    said = capsys.readouterr().out
    assert f"stopped at step {stop_after}" in said
    assert "fit --ckpt_path runs/halves/checkpoints/last.ckpt" in said
    assert torch.load("runs/halves/checkpoints/last.ckpt", weights_only=True)["global_step"] == stop_after
    config = Path("runs/halves/config.yaml").read_bytes()

    assert call("fit", "--ckpt_path=runs/halves/checkpoints/last.ckpt") == 0
    assert rows(Path("runs/halves")) == rows(Path("runs/whole"))
    whole, halves = (weights(Path(f"runs/{name}/checkpoints/last.ckpt")) for name in ("whole", "halves"))
    assert all(whole[name].equal(halves[name]) for name in whole)
    assert Path("runs/halves/config.yaml").read_bytes() == config
    events = EventAccumulator("runs/halves").Reload()
    assert [e.step for e in events.Scalars("train/generator_loss")] == [2, 4, 6]
    assert [e.step for e in events.Scalars("val/collapsed")] == [3, 6]


def test_signal_in_the_last_step_changes_nothing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    step = FractalGAN.training_step

    def interrupted(self: FractalGAN, batch, batch_idx: int) -> None:
        if self.global_step == 5:
            signal.raise_signal(signal.SIGTERM)
        step(self, batch, batch_idx)

    monkeypatch.setattr(FractalGAN, "training_step", interrupted)
    assert call("fit", *TINY) == 0
    assert json.loads(Path("runs/gan-digits-1/summary.json").read_text())["finished"]


def test_run_that_was_extended_and_stopped_goes_on_with_its_new_options(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("fit", *TINY, "--run=runs/whole", "--trainer.max_steps=10") == 0
    assert call("fit", *TINY, "--run=runs/parts/") == 0
    step = FractalGAN.training_step

    def interrupted(self: FractalGAN, batch, batch_idx: int) -> None:
        if self.global_step == 7:
            signal.raise_signal(signal.SIGINT)
        step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", interrupted)
        assert call("fit", "--run=runs/parts/", "--ckpt_path=last", "--trainer.max_steps=10") == 130
    assert "max_steps: 6" in Path("runs/parts/config_until_000006.yaml").read_text()
    assert call("fit", "--ckpt_path=runs/parts/checkpoints/last.ckpt") == 0
    summary = json.loads(Path("runs/parts/summary.json").read_text())
    assert summary["finished"]
    assert summary["step"] == 10
    # not the same weights as in one go: the instance noise had faded by step 6
    assert [row["step"] for row in rows(Path("runs/parts"))] == [
        row["step"] for row in rows(Path("runs/whole"))
    ]


def test_run_that_died_goes_on_from_its_last_checkpoint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at step 5, after the checkpoint of step 3: the row of step 4 is not there twice."""
    assert call("fit", *TINY, "--run=runs/whole") == 0
    step = FractalGAN.training_step

    def dying(self: FractalGAN, batch, batch_idx: int) -> None:
        if self.global_step == 5:
            raise SystemExit(9)  # nothing of Lightning's or ours gets to save
        step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", dying)
        with pytest.raises(SystemExit):
            call("fit", *TINY, "--run=runs/died")
    with Path("runs/died/metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "tra')
    assert call("fit", *TINY, "--run=runs/died", "--ckpt_path=last") == 0
    assert rows(Path("runs/died")) == rows(Path("runs/whole"))
    whole, died = (weights(Path(f"runs/{name}/checkpoints/last.ckpt")) for name in ("whole", "died"))
    assert all(whole[name].equal(died[name]) for name in whole)


def test_signal_to_another_process_of_the_run_stops_it_unfinished(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SingleDeviceStrategy, "reduce_boolean_decision", lambda *_, **__: True)
        assert call("fit", *TINY, "--run=mine") == 143
    assert not json.loads(Path("mine/summary.json").read_text())["finished"]
    assert call("fit", *TINY, "--run=mine") == 0
    assert json.loads(Path("mine/summary.json").read_text())["step"] == 6


def test_slurm_stops_a_run_by_its_own_checkpoint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning would save within the step, to the current folder, and begin there whatever runs next."""
    for name, value in {"NTASKS": "1", "JOB_NAME": "a", "JOB_ID": "1", "PROCID": "0", "LOCALID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURM_NODEID", "0")
    step = FractalGAN.training_step

    def interrupted(self: FractalGAN, batch: Any, batch_idx: int) -> None:
        if self.global_step == 3:
            signal.raise_signal(signal.SIGUSR1)
        step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", interrupted)
        assert call("fit", *TINY, "--run=mine") == 128 + signal.SIGUSR1
    assert not list(Path().rglob("hpc_ckpt*"))
    assert torch.load("mine/checkpoints/last.ckpt", weights_only=True)["global_step"] == 4


def test_ctrl_c_while_judging_is_told(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(FractalGAN, "validation_step", interrupted)
    assert call("validate", *TINY) == 130
    assert "interrupted" in capsys.readouterr().err
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("died_at", [2, 5], ids=["before its first checkpoint", "later"])
@pytest.mark.parametrize("task", TASKS)
def test_same_command_goes_on_with_a_run_that_died(
    call: Call, task: str, died_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, options = TASKS[task]
    assert call("fit", *options, "--run=whole") == 0
    step = kind.training_step

    def dying(self: Task, batch: Any, batch_idx: int) -> Any:
        if self.global_step == died_at:
            raise SystemExit(9)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "training_step", dying)
        with pytest.raises(SystemExit):
            call("fit", *options, "--run=died")
    assert Path("died/checkpoints/last.ckpt").exists() == (died_at > 3)
    with monkeypatch.context() as patch:
        patch.setattr(kind, "training_step", dying)  # and once more
        with pytest.raises(SystemExit):
            call("fit", *options, "--run=died")
    assert call("fit", *options, "--run=died") == 0
    starts = json.loads(Path("died/environment.json").read_text())
    assert [start["step"] for start in starts] == ([0, 0, 0] if died_at < 3 else [0, 3, 3])
    assert not list(Path("died").glob("config_until_*"))
    assert rows(Path("died")) == rows(Path("whole"))
    whole, died = (weights(Path(f"{name}/checkpoints/last.ckpt")) for name in ("whole", "died"))
    assert all(whole[name].equal(died[name]) for name in whole)


def test_same_command_with_other_options_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY, "--run=mine") == 0
    before = content(Path("mine"))
    assert call("fit", *TINY, "--run=mine", "--model.tau=2") == 1
    assert "mine holds a run already, with other options" in capsys.readouterr().err
    assert content(Path("mine")) == before


@pytest.mark.parametrize("checkpoints", [True, False])
def test_same_command_on_a_finished_run_says_so(
    call: Call, capsys: pytest.CaptureFixture[str], said: pytest.LogCaptureFixture, checkpoints: bool
) -> None:
    """A batch queue that starts its jobs again must not count it as failed."""
    command = ["fit", *TINY, "--run=mine", f"--trainer.enable_checkpointing={checkpoints}"]
    assert call(*command) == 0
    first, before = capsys.readouterr().out, content(Path("mine"))
    assert call(*command) == 0
    assert "mine is finished: there is nothing left to do" in said.text
    assert capsys.readouterr().out == first
    assert content(Path("mine")) == before


@pytest.mark.parametrize("task", TASKS)
def test_same_command_completes_a_run_that_died_after_its_last_step(call: Call, task: str) -> None:
    _, options = TASKS[task]
    assert call("fit", *options, "--run=mine") == 0
    before = _ends(Path("mine"))
    for path in [
        Path("mine/summary.json"),
        Path("mine/figures/fit.gif"),
        Path("mine/figures/before_after_real.png"),
    ]:
        path.unlink(missing_ok=True)
    assert call("fit", *options, "--run=mine") == 0
    assert _ends(Path("mine")) == before


def _ends(folder: Path) -> dict[str, bytes]:
    """What a run leaves: not how long it took, nor the events, of which every start has a file."""
    seconds = re.compile(rb'"seconds": .*')
    return {path: seconds.sub(b"", each) for path, each in content(folder).items() if "tfevents" not in path}


def test_run_that_is_made_longer_and_dies_is_not_taken_for_finished(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("fit", *TINY, "--run=mine") == 0
    longer = [*TINY, "--run=mine", "--trainer.max_steps=9"]

    def dying(*_: Any) -> Any:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(FractalGAN, "training_step", dying)
        with pytest.raises(SystemExit):
            call("fit", *longer, "--ckpt_path=last")
    assert call("fit", *longer) == 0
    assert json.loads(Path("mine/summary.json").read_text())["step"] == 9


def test_newest_good_checkpoint_takes_the_place_of_a_damaged_one(
    call: Call, said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FractalGAN, "keep_every", 1)
    assert call("fit", *TINY, "--run=whole") == 0
    shutil.copytree("whole", "hurt")
    checkpoints = Path("hurt/checkpoints")
    flipped = bytearray((checkpoints / "last.ckpt").read_bytes())
    flipped[len(flipped) // 2] ^= 1  # one bit, which torch does not notice
    for path in [checkpoints / "last.ckpt", checkpoints / "best.ckpt", *checkpoints.glob("*[56].ckpt")]:
        path.write_bytes(flipped)
    (checkpoints / "step_000004.ckpt").write_bytes(b"damaged, too")
    assert call("fit", *TINY, "--run=hurt") == 0
    said_so = "hurt/checkpoints/last.ckpt is damaged: going on from hurt/checkpoints/step_000003.ckpt instead"
    assert said_so in said.text
    whole, hurt = (weights(Path(f"{name}/checkpoints/last.ckpt")) for name in ("whole", "hurt"))
    assert all(whole[name].equal(hurt[name]) for name in whole)
    assert rows(Path("hurt")) == rows(Path("whole"))

    for path in checkpoints.iterdir():
        path.write_bytes(flipped)
    before = content(Path("hurt"))
    assert call("fit", *TINY, "--run=hurt") == 1
    assert content(Path("hurt")) == before


HOLD = """
import pathlib
from fractalgan.run_folder import RunFolder
with RunFolder(pathlib.Path("mine")).locked():
    print("locked", flush=True)
    input()
"""


def test_folder_that_a_program_has_just_written_to_is_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is done between the reading of its checkpoint and the locking: its rows would be dropped."""
    assert call("fit", *TINY, "--run=mine") == 0
    locked = RunFolder.locked

    @contextlib.contextmanager
    def late(self: RunFolder) -> Iterator[None]:
        os.utime(self.last)
        with locked(self):
            yield

    monkeypatch.setattr(RunFolder, "locked", late)
    before = content(Path("mine"))
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 1
    assert "another program has just written to mine" in capsys.readouterr().err
    assert content(Path("mine")) == before


def test_run_without_its_last_checkpoint_is_not_begun_again(
    call: Call, capsys: pytest.CaptureFixture[str], said: pytest.LogCaptureFixture
) -> None:
    assert call("fit", *TINY, "--run=mine") == 0
    Path("mine/checkpoints/last.ckpt").unlink()
    assert call("fit", *TINY, "--run=mine") == 0
    assert "last.ckpt is missing: going on from mine/checkpoints/best.ckpt instead" in said.text
    assert Path("mine/checkpoints/last.ckpt").is_file()
    bare = ["fit", *TINY, "--run=bare", "--trainer.enable_checkpointing=false"]
    assert call(*bare) == 0
    summary = Path("bare/summary.json")
    summary.write_text(summary.read_text().replace('"finished": true', '"finished": false'))
    before = content(Path("bare"))
    assert call(*bare) == 1
    assert "bare holds a run already, which kept no checkpoint" in capsys.readouterr().err
    assert content(Path("bare")) == before


def test_folder_that_a_program_writes_to_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY, "--run=mine") == 0
    before = content(Path("mine"))
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()  # it has the lock
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 1
    assert "another program is writing to mine" in capsys.readouterr().err
    before[str(Path("mine/.lock"))] = b""
    assert content(Path("mine")) == before
    holder.kill()
    holder.communicate()
    assert call("fit", "--run=mine", "--ckpt_path=last", "--trainer.max_steps=9") == 0


def test_finished_run_can_be_made_longer(call: Call) -> None:
    assert call("fit", *TINY) == 0
    assert call("fit", *TINY, "--ckpt_path=last", "--trainer.max_steps=9") == 0
    assert [row["step"] for row in rows(Path("runs/gan-digits-1"))] == [2, 3, 4, 6, 6, 8, 9]
    assert not Path("runs/gan-digits-2").exists()


def test_going_on_from_an_earlier_checkpoint_leaves_what_came_after(call: Call) -> None:
    assert call("fit", *TINY) == 0
    before = content(Path("runs/gan-digits-1"))
    best = Path("runs/gan-digits-1/checkpoints/best.ckpt")
    best.with_name("early.ckpt").write_bytes(best.read_bytes())
    before = content(Path("runs/gan-digits-1"))
    assert call("fit", *TINY, "--trainer.max_steps=9", f"--ckpt_path={best.with_name('early.ckpt')}") == 0
    assert content(Path("runs/gan-digits-1")) == before
    assert Path("runs/gan-digits-2/checkpoints/last.ckpt").is_file()


def test_hyper_parameters_that_give_way_to_the_checkpoint_are_named(
    call: Call, said: pytest.LogCaptureFixture
) -> None:
    assert call("fit", *TINY) == 0
    options = [*TINY, "--ckpt_path=last", "--trainer.max_steps=7", "--model.num_fractals=9"]
    assert call("fit", *options) == 0
    assert "model.num_fractals is 4, from the checkpoint (not 9)" in said.text


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_checkpoint_is_judged(call: Call, verb: str) -> None:
    assert call("fit", *TINY) == 0
    before = content(Path("runs"))
    for _ in range(2):
        assert call(verb, "--ckpt_path=last") == 0
    first, second = Path("runs/gan-digits-1/evaluations.jsonl").read_text().splitlines()
    assert first == second
    row = json.loads(first)
    assert row["step"] == 6
    if verb == "validate":
        assert row["val/frechet_pixels"] == rows(Path("runs/gan-digits-1"))[-1]["val/frechet_pixels"]
    assert all(Path(path).read_bytes() == data for path, data in before.items())


def test_predicted_images_are_a_data_set(call: Call) -> None:
    assert call("fit", *TINY) == 0
    predict = [
        "predict",
        "--trainer.accelerator=cpu",
        "--trainer.limit_predict_batches=5",
        "--ckpt_path=best",
    ]
    assert call(*predict) == 0
    folder = Path("runs/gan-digits-1/predictions")
    assert len(list(folder.glob("*/*.png"))) == 4 * 5
    images = np.stack([read_pixels(path) for path in sorted(folder.glob("001/*.png"))])
    assert images.shape == (5, 16, 16)
    assert images.max() > 100
    assert len({image.tobytes() for image in images}) == 5
    assert call(*predict) == 1  # they are not written over
    assert call("fit", *TINY, "--data.name=folder", f"--data.root={folder}") == 0
    assert Path("runs/gan-predictions-1/summary.json").is_file()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_runs(
    call: Call, config: Path, mnist_like: Callable[[str], Path], image_folder: Path
) -> None:
    root = {
        "gan_mnist": lambda: mnist_like("MNIST"),
        "gan_kmnist": lambda: mnist_like("KMNIST"),
        "gan_fashion_mnist": lambda: mnist_like("FashionMNIST"),
        "reconstruction_paper": lambda: mnist_like("FashionMNIST"),
        "reconstruction_release": lambda: mnist_like("FashionMNIST"),
        "gan_folder": lambda: image_folder,
    }.get(config.stem, lambda: "data")()
    options = {
        "pretraining": [*TINY_PRETRAINING],
        "probe": ["--trainer.accelerator=cpu", "--data.size=16"],
        "inverse_encoder": [*TINY_ENCODER],
        "reconstruction": TINY_RECONSTRUCTION,
        "reconstruction_paper": [*TINY_RECONSTRUCTION, f"--data.root={root}"],
        "reconstruction_release": [*TINY_RECONSTRUCTION, f"--data.root={root}", "--data.per_class=2"],
    }.get(config.stem, [*TINY, f"--data.root={root}"])
    if "SetMetrics" in config.read_text():
        options += ["--trainer.callbacks=fractalgan.callbacks.SetMetrics", "--trainer.callbacks.steps=20"]
    assert call("fit", "--config", str(config), *options) == 0
    stem = {"inverse_encoder": "encoder"}.get(config.stem, config.stem.split("_")[0])
    assert len(list(Path("runs").glob(f"{stem}-*-1/summary.json"))) == 1


def test_digits_config_is_the_default(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*arguments: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit):
            call("fit", *arguments, "--print_config")
        return capsys.readouterr().out

    config = str(next(path for path in CONFIGS if path.stem == "gan_digits"))
    assert printed("--config", config) == printed()
    named = yaml.safe_load(Path(config).read_text())["model"]["init_args"].keys()
    linked = {"image_size", "seed"}
    assert named | linked == inspect.signature(FractalGAN).parameters.keys()


def test_fast_dev_run_writes_nothing(call: Call) -> None:
    assert call("fit", *TINY, "--trainer.fast_dev_run=true") == 0
    assert not Path("runs").exists()


def poison_loss(task: Task) -> None:
    with torch.no_grad():
        list(task.parameters())[-1].fill_(float("nan"))


def poison_gradient(task: Task) -> None:
    list(task.parameters())[-1].register_hook(lambda gradient: gradient * float("nan"))


def poison_step(task: Task) -> None:
    for optimizer in task.trainer.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = float("inf")


@pytest.mark.parametrize(
    ("task", "poison", "term"),
    [
        ("gan", poison_loss, "the discriminator's loss"),
        ("gan", poison_gradient, "a gradient of the discriminator"),
        ("gan", poison_step, "a parameter of the discriminator"),
        ("pretraining", poison_loss, "the loss"),
        ("pretraining", poison_gradient, "a gradient of the network"),
        ("pretraining", poison_step, "a parameter of the network"),
        ("encoder", poison_loss, "the loss"),
        ("encoder", poison_gradient, "a gradient of the network"),
        ("encoder", poison_step, "a parameter of the network"),
        ("probe", poison_loss, "the loss"),
        ("probe", poison_gradient, "a gradient of the head"),
        ("probe", poison_step, "the loss"),  # L-BFGS looks at it again within a step
    ],
)
def test_number_that_is_not_finite_ends_the_run_at_its_last_good_checkpoint(
    call: Call,
    task: str,
    poison: Callable[[Task], None],
    term: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, options = TASKS[task]
    step = kind.training_step

    def poisoned(self: Task, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 4:
            poison(self)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(kind, "training_step", poisoned)
    assert call("fit", *options, "--run=mine") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"{term} is not finite at step 5: the last good checkpoint is mine/checkpoints/last.ckpt" in error
    last = torch.load("mine/checkpoints/last.ckpt", weights_only=True)
    assert last["global_step"] == 3
    assert all(value.isfinite().all() for value in last["state_dict"].values())


BAD = {
    "unknown data set": (["--data.name=imagenet"], "expected one of 'digits', 'MNIST'"),
    "unknown option": (["--model.nonsense=1"], "nonsense"),
    "misspelt option": (
        ["--model.num_fractal=9"],
        "'num_fractal' is not accepted; did you mean num_fractals?",
    ),
    "misspelt trainer's": (["--trainer.max_step=9"], "--trainer.max_step=9; did you mean max_steps?"),
    "misspelt group": (["--dta.name=digits"], "--dta.name=digits; did you mean data?"),
    "wrong type": (["--model.num_fractals=many"], "--model.num_fractals: expected int. Got value: many"),
    "no fractals": (["--model.num_fractals=0"], "num_fractals: want 1 or more, got 0"),
    "no transforms": (["--model.num_transforms=0"], "num_transforms: want 1 or more"),
    "no points": (["--model.num_points=-1"], "num_points: want 1 or more"),
    "no steps": (["--trainer.max_steps=0"], "trainer.max_steps: want 1 or more"),
    "endless": (["--trainer.max_steps=-1"], "give --trainer.max_steps"),
    "no size": (["--data.size=0"], "error: image_size: want 16 or more, got 0"),
    "no batch": (["--data.batch_size=0"], "batch_size: want 1 or more"),
    "missing config": (["--config=none.yaml"], "none.yaml"),
    "missing folder": (["--data.name=folder", "--data.root=none"], "no folder none"),
    "empty folder": (["--data.name=folder", "--data.root=empty"], "no images in empty"),
    "no image": (["--data.name=folder", "--data.root=mixed"], "notes.txt cannot be read as an image"),
    "missing checkpoint": (["--ckpt_path=none.ckpt"], "no checkpoint none.ckpt"),
    "no run to go on with": (["--ckpt_path=last"], "no run in runs/ to go on with"),
    "truncated checkpoint": (["--ckpt_path=cut.ckpt"], "cut.ckpt is damaged"),
    "empty checkpoint": (["--ckpt_path=empty.ckpt"], "empty.ckpt is damaged"),
    "a stranger's checkpoint": (["--ckpt_path=stranger.ckpt"], "no checkpoint of a fractalgan run"),
    "another task's checkpoint": (["--ckpt_path=other.ckpt"], "a checkpoint of SomeProbe, not of FractalGAN"),
    "reached its steps": (["--ckpt_path=whole.ckpt"], "is at step 6 already"),
    "folder of a run": (["--run=taken"], "taken holds a run already"),
    "betas": (["--model.generator_betas=[1.5,0.9]"], "generator_betas"),
    "negative seed": (["--seed_everything=-1"], "seed_everything: want 0 or more"),
    "no validation": (["--trainer.val_check_interval=0"], "val_check_interval"),
    "half a validation": (["--trainer.val_check_interval=0.5"], "val_check_interval"),
    "limited batches": (["--trainer.limit_train_batches=3"], "give --trainer.max_steps"),
    "half precision": (["--trainer.precision=bf16-true"], "trainer.precision"),
    "unfillable": (["--model.start=fractaldb", "--model.num_transforms=1"], "hardly ever fill"),
    "no accelerator": (["--trainer.accelerator=abacus"], "abacus"),
}


@pytest.fixture(scope="module")
def whole_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> dict:
    from fractalgan.cli import run

    folder = tmp_path_factory.mktemp("whole") / "run"
    assert run(["fit", *TINY, f"--run={folder}"]) == 0
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_harms_nothing(
    case: str, call: Call, whole_checkpoint: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("empty", "mixed", "taken"):
        (tmp_path / name).mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "mixed" / "a.png")
    (tmp_path / "mixed" / "notes.txt").write_text("no image")
    (tmp_path / "taken" / "metrics.jsonl").write_text("{}")
    torch.save(whole_checkpoint, "whole.ckpt")
    Path("cut.ckpt").write_bytes(Path("whole.ckpt").read_bytes()[:-1000])
    Path("empty.ckpt").write_bytes(b"")
    torch.save({"weights": torch.zeros(3)}, "stranger.ckpt")
    torch.save(whole_checkpoint | {"task": "SomeProbe"}, "other.ckpt")
    before = content(tmp_path)
    capsys.readouterr()

    options, message = BAD[case]
    assert call("fit", *TINY, *options) in (1, 2)
    lines = capsys.readouterr().err.strip().splitlines()
    errors = [line for line in lines if line.startswith("fractalgan: error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert content(tmp_path) == before
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


def test_resuming_that_cannot_begin_loses_no_row(call: Call) -> None:
    assert call("fit", *TINY) == 0
    metrics = Path("runs/gan-digits-1/metrics.jsonl")
    with metrics.open("a") as file:
        file.write('{"step": 99}\n')
    before = content(Path("runs"))
    options = ["--ckpt_path=last", "--trainer.max_steps=9", "--trainer.accelerator=abacus"]
    assert call("fit", *options) == 1
    assert content(Path("runs")) == before


def test_smallest_folder_trains(call: Call, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "few").mkdir()
    for number in range(5):
        Image.fromarray(random.integers(0, 255, (10, 10), np.uint8)).save(tmp_path / f"few/{number}.png")
    assert call("fit", *TINY, "--data.name=folder", "--data.root=few") == 0
    (tmp_path / "few/4.png").unlink()
    assert call("fit", *TINY, "--data.name=folder", "--data.root=few") == 1


def test_mixed_precision_trains(call: Call) -> None:
    assert call("fit", *TINY, "--trainer.precision=bf16-mixed") == 0


def test_untrained_fractals_are_told_from_learned_ones(call: Call, said: pytest.LogCaptureFixture) -> None:
    assert call("predict", *[o for o in TINY if "data" not in o], "--trainer.limit_predict_batches=1") == 0
    assert "nothing is learned here" in said.text


def test_defect_of_ours_shows_its_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_, **__) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(FractalGAN, "training_step", broken)
    with pytest.raises(KeyError, match="ours"):
        call("fit", *TINY)
