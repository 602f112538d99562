"""Two processes on one machine, as a user starts them."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.conftest import IN_COLOR, TINY, TINY_CLASSIFIER, TINY_DISTILLATION, TINY_PRETRAINING
from tests.data.files import labeled_fractals
from tests.tasks.processes import by_two, fit_by_two, run_command, run_file

pytestmark = pytest.mark.timeout(300)
Call = Callable[..., int]
CONFIGS = Path(__file__).parents[2] / "configs"

SCRIPT = """
import torch
from pytorch_lightning import Callback, Trainer
from fractalgan import FractalGAN, ImageData
from fractalgan.randomness import RandomSource, generator_for

class Compare(Callback):
    def on_train_batch_end(self, trainer, model, *_):
        weights = torch.cat([p.detach().flatten() for p in model.parameters()])
        first = trainer.strategy.broadcast(weights)
        assert weights.equal(first), "the ranks have parted"
        source = RandomSource(generator_for(trainer.global_step), model.shard)
        drawn = model(torch.arange(4), source).detach()
        other = trainer.strategy.broadcast(drawn)
        assert trainer.global_rank == 0 or not drawn.equal(other), "same sequences"

if __name__ == "__main__":
    model = FractalGAN(num_fractals=4, num_transforms=3, num_points=20, image_size=16, parameter_noise=0.1)
    Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_steps=4, limit_val_batches=0, callbacks=[Compare()],
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ).fit(model, ImageData(size=16, batch_size=8))
    print("equal")
"""


def test_ranks_draw_different_sequences_and_keep_equal_parameters(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(SCRIPT)
    assert run_file(script, cwd=tmp_path).stdout.count("equal") >= 1


def test_two_processes_write_one_folder(tmp_path: Path) -> None:
    done = run_command(by_two(*TINY), tmp_path)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["gan-digits-1"]
    lines = (tmp_path / "runs/gan-digits-1/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 3, 4, 6, 6]
    assert done.stdout.count("run folder:") == 1
    (start,) = json.loads((tmp_path / "runs/gan-digits-1/environment.json").read_text())
    assert start["processes"] == 2
    assert start["threads"]["torch"] == 2  # not what Lightning shares out


@pytest.mark.parametrize(
    "given",
    [
        ["--model.generator_optimizer=NAdam", "--model.parameter_noise=0.1"],
        ["--model.jitter=0", "--model.loss=hinge"],
        pytest.param(IN_COLOR, marks=pytest.mark.slow),
        pytest.param(["--model.conditional=projection", "--model.num_fractals=11"], marks=pytest.mark.slow),
        ["--model.conditional=auxiliary", "--model.num_fractals=11", *IN_COLOR],
    ],
    ids=["noise", "no jitter", "in color", "projection", "auxiliary in color"],
)
def test_two_processes_train_a_gan_as_one_does_on_the_same_images(
    call: Call, tmp_path: Path, given: list[str]
) -> None:
    options = [*TINY, *given, "--trainer.precision=64-true"]
    assert call("fit", *options, "--data.batch_size=16", "--run=one") == 0
    fit_by_two(*options, "--run=two", cwd=tmp_path)
    assert training("two") == [pytest.approx(row, abs=1e-6) for row in training("one")]  # logged in 32 bits
    for name, weights in state("one").items():
        assert weights.dtype == (torch.int64 if name.endswith(".labels") else torch.float64)
        torch.testing.assert_close(state("two")[name], weights, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("fresh", "optimizer", "features"), [("false", "SGD", 0), ("true", "AdamW", 0), ("true", "AdamW", 3)]
)
def test_two_processes_pretrain_as_one_does_on_the_same_images(
    call: Call, tmp_path: Path, fresh: str, optimizer: str, features: int
) -> None:
    options = [
        "--config",
        str(CONFIGS / "pretraining.yaml"),
        *TINY_PRETRAINING,
        "--trainer.precision=64-true",
    ]
    options += [f"--data.fresh={fresh}", f"--model.optimizer={optimizer}", f"--data.features={features}"]
    assert call("fit", *options, "--data.batch_size=16", "--run=one") == 0
    fit_by_two(*options, "--run=two", cwd=tmp_path)
    for name, weights in state("one").items():
        torch.testing.assert_close(state("two")[name], weights, rtol=0, atol=1e-12)


def test_two_processes_train_a_classifier_as_one_does(call: Call, tmp_path: Path) -> None:
    labeled_fractals(tmp_path / "labeled.safetensors")
    options = ["--config=classifier.yaml", *TINY_CLASSIFIER, "--data.fractals=labeled.safetensors"]
    options += ["--model.flip=true", "--model.cutout=0.2", "--trainer.precision=64-true"]
    assert call("fit", *options, "--data.batch_size=16", "--run=one") == 0
    fit_by_two(*options, "--run=two", cwd=tmp_path)
    assert training("two") == [pytest.approx(row, abs=1e-6) for row in training("one")]
    for name, weights in state("one").items():
        torch.testing.assert_close(state("two")[name], weights, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "given",
    [
        ["--model.loss=ridge", "--model.network_images=drawn"],
        ["--model.loss=distribution", "--model.network=lenet", "--model.width=null"],
    ],
)
def test_two_processes_distill_as_one_does(call: Call, tmp_path: Path, given: list[str]) -> None:
    labeled_fractals(tmp_path / "labeled.safetensors", per_class=4)  # more than are drawn in a step
    options = [
        "--config=distillation.yaml",
        *TINY_DISTILLATION,
        "--model.fractals=labeled.safetensors",
        *given,
    ]
    options += ["--trainer.precision=64-true"]
    assert call("fit", *options, "--data.batch_size=16", "--run=one") == 0
    fit_by_two(*options, "--run=two", cwd=tmp_path)
    assert training("two") == [pytest.approx(row, abs=1e-6) for row in training("one")]
    for name, weights in state("one").items():
        torch.testing.assert_close(state("two")[name], weights, rtol=0, atol=1e-10)


def test_two_processes_without_fractals_end_with_one_line(tmp_path: Path) -> None:
    options = ["--config=distillation.yaml", *TINY_DISTILLATION, "--model.fractals=none.json"]
    done = subprocess.run(by_two(*options), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    errors = {line for line in done.stderr.splitlines() if "error:" in line}
    assert len(errors) == 1
    assert "there are no fractals 'none.json'" in errors.pop()
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


def test_two_processes_probe_as_one_does(call: Call, tmp_path: Path) -> None:
    options = ["--config", str(CONFIGS / "probe.yaml"), "--data.size=16"]
    options += ["--model.penalties=[0.1,0.01]", "--trainer.max_steps=2"]  # L-BFGS gets to their minima
    assert call("fit", *options, "--trainer.accelerator=cpu", "--run=one") == 0
    fit_by_two(*options, "--run=two", cwd=tmp_path)
    for name, weights in state("one").items():
        torch.testing.assert_close(state("two")[name], weights, rtol=0, atol=1e-3)


@pytest.mark.parametrize("rank", [0, 1])
def test_process_that_dies_ends_the_others_and_loses_nothing(tmp_path: Path, rank: int) -> None:
    endless = [*TINY, "--trainer.max_steps=1000000", "--run=mine"]
    first = subprocess.Popen(by_two(*endless), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert first.stderr is not None
    last = tmp_path / "mine/checkpoints/last.ckpt"
    while not last.exists():
        assert first.stderr.readline()  # waits for its next step
    (second,) = map(int, Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split())
    os.kill((first.pid, second)[rank], signal.SIGKILL)
    _, said = first.communicate()  # until the second closes its end, too
    assert first.returncode != 0
    (error,) = (line for line in said.splitlines() if not line.startswith("step "))
    assert error.startswith("fractalgan: error: another process of this run died (")
    assert "the last good checkpoint is mine/checkpoints/last.ckpt" in error
    step = torch.load(last, weights_only=True)["global_step"]
    fit_by_two("--ckpt_path=mine/checkpoints/last.ckpt", f"--trainer.max_steps={step + 2}", cwd=tmp_path)


def state(run: str) -> dict[str, torch.Tensor]:
    return torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True)["state_dict"]


def training(run: str) -> list[dict[str, float]]:
    """The rows of metrics of training."""
    rows = [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if any(name.startswith("train/") for name in row)]
