"""Reconstruction: each target is independent of the others; the rows of Table 1 as options."""

import json
import math
import signal
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from fractalgan import ImageData, Reconstruction, TargetData, anderson_farrell
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import FractalGenerator, TargetFractals, TargetScores, points_for, tau_for
from fractalgan.ops import Transforms, determinant_probabilities, render
from fractalgan.randomness import Purpose, generator_for
from tests.cli.folders import signalled
from tests.conftest import TINY_RECONSTRUCTION
from tests.tasks import learn_targets
from tests.tasks.processes import fit_by_two, run_file

Call = Callable[..., int]

SMALL: dict[str, Any] = {"num_transforms": 3, "num_points": 60, "num_sequences": 4, "image_size": 16}
FIT = [
    "fit",
    "--model=fractalgan.Reconstruction",
    "--data=fractalgan.TargetData",
    *TINY_RECONSTRUCTION,
    "--trainer.log_every_n_steps=1",
]

COLLAGE = [
    "--model.start=collage",
    "--model.sequences=even",
    "--model.num_points=null",
    "--model.coverage=2",
    "--model.tau=0.5",
    "--model.tau_start=4",
]

# Digits in three equal channels, with one more parameter.
IN_COLOR = ["--data.channels=3", "--model.blend=learned"]

# Names in the state of older checkpoints.
OLDER = {
    "fractals.generator.": "generator.",
    "fractals.candidates.ranking": "order",
    "fractals.candidates.running_loss": "recent",
    "fractals.initial_probabilities": "first",
    "fractals.target_indices": "indices",
}


def fitted(
    steps: int = 6, count: int = 5, callbacks: list[Callback] | None = None, **options: Any
) -> tuple[Reconstruction, TargetData]:
    task = Reconstruction(**SMALL | options)
    data = TargetData(size=16, count=count)
    trainer = quiet_trainer(
        steps, val_check_interval=steps, enable_checkpointing=False, callbacks=callbacks or []
    )
    trainer.fit(task, data)
    return task, data


def maps(task: Reconstruction) -> Tensor:
    transforms = task.learned_fractals().embedding()
    return torch.cat([transforms.A.detach().flatten(2), transforms.b.detach()], -1)


def test_images_come_closer_to_their_targets() -> None:
    drawn, _ = fitted(1, noise=0.0)
    learned, data = fitted(150)
    assert drawn.results is not None
    assert learned.results is not None
    assert (learned.results.mse_mean < drawn.results.mse_mean).all()
    assert learned.results.mse_mean.mean() < 0.6 * drawn.results.mse_mean.mean()
    scores = learned.results
    assert ((scores.mse_min < scores.mse_mean) & (scores.mse_mean < scores.mse_max)).all()
    assert (scores.psnr > 0).all()
    assert ((scores.iou >= 0) & (scores.iou <= 1)).all()
    assert scores.exploded.sum() == 0
    assert data.targets is not None
    generator = learned.learned_fractals()
    again = torch.stack([generator.draw(torch.arange(5)) for _ in range(200)])  # from other numbers
    torch.testing.assert_close(
        (again - data.targets).square().mean((0, 2, 3, 4)), scores.mse_mean, rtol=0.1, atol=0
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"candidates": 4, "halvings": [2, 4]},
        {"objective": "fixed"},
        {"start": "collage", "candidates": 2, "halvings": [3], "sequences": "even", "tau_start": 4.0},
    ],
)
def test_target_does_not_depend_on_the_others(options: dict[str, Any]) -> None:
    options = options | {"noise_interval": 2}
    alone, _ = fitted(count=2, **options)
    among, _ = fitted(count=7, **options)
    assert maps(alone).equal(maps(among)[:2])
    in_chunks, _ = fitted(count=7, chunk=3, **options)
    assert maps(in_chunks).equal(maps(among))
    assert among.results is not None
    assert in_chunks.results is not None
    assert all(one.equal(other) for one, other in zip(among.results, in_chunks.results, strict=True))


def test_first_step_is_adams_on_the_gradient_of_the_mse() -> None:
    """Against a fractal alone: plain render, autograd, clipping by torch, torch's Adam."""
    options = {"matrices": "raw", "noise": 0.0, "objective": "fixed", "schedule": "constant", "clip": 0.01}
    task, data = fitted(2, 1, **options)
    index = int(data.indices[0])
    transforms = anderson_farrell(1, 3, generator_for(0, index, Purpose.RECONSTRUCTION_INITIAL))
    A, b = (each.clone().requires_grad_() for each in transforms)
    uniform = torch.rand(4, 60, generator=generator_for(0, index, Purpose.RECONSTRUCTION_FIXED))
    levels = determinant_probabilities(transforms.A)[0].cumsum(0)
    sequences = torch.searchsorted(levels, uniform * levels[-1], right=True)
    adam = torch.optim.Adam([A, b], lr=0.05)
    assert data.targets is not None
    for _ in range(2):
        images = render(
            Transforms(A, b), torch.zeros(4, dtype=torch.long), sequences, size=(16, 16), window=2.5
        )
        loss = F.mse_loss(images, data.targets[0].expand(4, 16, 16))
        A.grad, b.grad = torch.autograd.grad(loss, [A, b])
        for parameter in (A, b):
            torch.nn.utils.clip_grad_norm_(parameter, 0.01)
        adam.step()
    found = task.learned_fractals().embedding()
    torch.testing.assert_close(found.A, A, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.b, b, atol=1e-5, rtol=1e-5)


def test_fractal_that_explodes_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = fitted(count=4, matrices="raw", noise=0.0)
    setup = Reconstruction.setup

    def broken(self: Reconstruction, stage: str) -> None:
        setup(self, stage)
        A = self.fractals.generator.embedding.get_parameter("matrices.A")
        A.data[1] = 3.0  # every transform triples a vector at least
        A.data[3] = math.nan

    monkeypatch.setattr(Reconstruction, "setup", broken)
    partly, _ = fitted(count=4, matrices="raw", noise=0.0)
    assert partly.results is not None
    assert partly.results.exploded.tolist() == [0, 1, 0, 1]
    assert partly.results.mse_min.isfinite().all()
    assert maps(partly)[[0, 2]].equal(maps(whole)[[0, 2]])


class Learning(Callback):
    """Notes the learning rate, the remaining candidates of the first target, and its b, in every step."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.remaining: list[set[int]] = []
        self.b: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        assert isinstance(pl_module, Reconstruction)
        candidates = pl_module.fractals.candidates
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        step = trainer.global_step - 1
        self.remaining.append(set(candidates.ranking[0, : candidates.count(step)].tolist()))
        self.b.append(pl_module.fractals.generator.embedding.b.detach().clone())


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("halving", [0.08, 0.08, 0.04, 0.04, 0.02, 0.02, 0.01, 0.01]),
        ("cosine", [0.04 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]),
        ("constant", [0.08] * 8),
    ],
)
def test_learning_rate_follows_the_share_of_the_run(schedule: str, rates: list[float]) -> None:
    noted = Learning()
    fitted(8, 1, [noted], schedule=schedule, lr=0.08)
    assert noted.rates == pytest.approx(rates)


def test_better_half_of_the_candidates_remains() -> None:
    noted = Learning()
    task, _ = fitted(6, 3, [noted], candidates=4, halvings=[2, 4], num_sequences=8)
    assert [len(each) for each in noted.remaining] == [4, 4, 2, 2, 1, 1]
    first, second, third = noted.remaining[1::2]
    assert third < second < first == set(range(4))
    candidates = task.fractals.candidates
    assert candidates.winners()[0].item() in third
    assert candidates.running_loss.view(3, 4).isfinite().sum(1).tolist() == [1, 1, 1]


def test_noise_is_added_at_its_interval_in_its_share_of_the_run() -> None:
    still = {"lr": 1e-12, "clip": None, "matrices": "raw"}
    noted = Learning()
    fitted(10, 1, [noted], noise=0.1, noise_interval=2, noise_share=0.5, **still)
    moved = [
        not after.allclose(before, atol=1e-6) for before, after in zip(noted.b, noted.b[1:], strict=False)
    ]
    assert moved == [False, True, False, True, *[False] * 5]  # in the steps 0, 2 and 4


@pytest.mark.parametrize(("noise_on", "b_too"), [("all", True), ("matrices", False)])
def test_noise_moves_what_it_is_meant_to(noise_on: str, b_too: bool) -> None:
    options = {"lr": 1e-12, "noise_share": 1.0, "noise_interval": 1, "matrices": "raw", "noise_on": noise_on}
    drawn, moved = (maps(fitted(1, 3, noise=noise, **options)[0]).split([4, 2], -1) for noise in (0.0, 0.1))
    assert (moved[0] - drawn[0]).std().item() == pytest.approx(0.1, rel=0.3)
    assert moved[1].allclose(drawn[1], atol=1e-6) is not b_too


def test_points_and_tau_follow_the_size_and_explicit_values_win() -> None:
    task = Reconstruction(num_targets=2, image_size=64)
    assert (task.learned_fractals().num_points, task.learned_fractals().tau) == (points_for(64), tau_for(64))
    assert (task.hparams["num_points"], task.hparams["tau"]) == (points_for(64), tau_for(64))
    explicit = Reconstruction(num_targets=2, image_size=64, num_points=9, tau=0.5).learned_fractals()
    assert (explicit.num_points, explicit.tau) == (9, 0.5)


def test_coverage_sets_the_number_of_points() -> None:
    """Of the average target: a point covers pi * tau pixels."""
    data = TargetData(size=16, count=4)
    options = {name: SMALL[name] for name in SMALL if name != "num_points"}
    task = Reconstruction(**options, tau=0.5, coverage=3.0)
    quiet_trainer(1, val_check_interval=1, enable_checkpointing=False).fit(task, data)
    assert data.targets is not None
    expected = 3 * data.targets.sum((1, 2, 3)).mean().item() / (math.pi * 0.5)
    assert task.learned_fractals().num_points == task.hparams["num_points"] == round(expected)


def test_points_narrow_and_multiply_during_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = TargetFractals.draw

    def watched(self: TargetFractals, *given: Any, **options: Any) -> Tensor:
        if options.get("resolution") is not None:
            drawn.append(options["resolution"])
        return draw(self, *given, **options)

    monkeypatch.setattr(TargetFractals, "draw", watched)
    fitted(10, tau=0.5, tau_start=8.0)
    assert drawn[0].tau == 8
    assert drawn[0].num_points == round(60 * 0.5 / 8)
    assert all(each.tau == pytest.approx(0.5) and each.num_points == 60 for each in drawn[6:])
    assert all(one.tau > other.tau for one, other in pairwise(drawn[:7]))


def test_collage_starts_near_its_targets_and_random_fractals_do_not() -> None:
    """At the first step, before anything is learned."""
    starts = ("collage", "anderson-farrell")
    losses = [fitted(1, start=start, sequences="even", noise=0.0, lr=1e-9)[0].results for start in starts]
    collage, random = (each.mse_mean.mean() for each in losses if each is not None)
    assert collage < 0.8 * random


def test_results_are_of_every_target() -> None:
    task, _ = fitted(1, 7, chunk=3)
    assert isinstance(task.results, TargetScores)
    assert all(len(each) == 7 for each in task.results)


# -- checkpoints -------------------------------------------------------------------------------


def checkpoint_of(task: Reconstruction, path: Path) -> Path:
    task.trainer.save_checkpoint(path)
    return path


def test_checkpoint_serves_as_fractals(tmp_path: Path) -> None:
    task, _ = fitted(6, candidates=4, halvings=[2], num_sequences=8, tau=0.7)
    path = checkpoint_of(task, tmp_path / "fit.ckpt")
    entry = torch.load(path, weights_only=True)["fractals"]
    assert entry["provenance"] == {
        "task": "Reconstruction",
        "step": 6,
        "seed": 0,
        "data": {
            "name": "digits",
            "split": "test",
            "images": 1797,
            "validation_share": 0.1,
            "test_share": 0.1,
        },
    }
    read, learned = FractalGenerator.from_pretrained(path), task.learned_fractals()
    assert (len(read.embedding), read.size, read.num_points, read.tau) == (5, (16, 16), 60, 0.7)
    drawn = [each.draw(range(5), torch.Generator().manual_seed(0)) for each in (read, learned)]
    assert drawn[0].equal(drawn[1])


def test_older_checkpoint_is_loaded(tmp_path: Path) -> None:
    """As they were when the ranking of the candidates lay in parameters of the task, and without labels."""
    task, data = fitted(4, candidates=4, halvings=[2], num_sequences=8)
    path = checkpoint_of(task, tmp_path / "fit.ckpt")
    content = torch.load(path, weights_only=True)
    state = content["state_dict"]
    for name, older in OLDER.items():
        state = {key.replace(name, older): value for key, value in state.items()}
    del state["generator.embedding.labels"]
    assert {"order", "recent", "first", "indices", "generator.embedding.b"} <= state.keys()
    content |= {"state_dict": state}
    del content["fractals"]
    torch.save(content, tmp_path / "older.ckpt")

    again = Reconstruction.load_from_checkpoint(tmp_path / "older.ckpt", weights_only=True)
    assert all(value.equal(task.state_dict()[name]) for name, value in again.state_dict().items())
    resumed = [Reconstruction(**SMALL | {"num_sequences": 8}, candidates=4, halvings=[2]) for _ in range(2)]
    for each, name in zip(resumed, ("fit.ckpt", "older.ckpt"), strict=True):
        trainer = quiet_trainer(6, val_check_interval=6, enable_checkpointing=False)
        each.hparams["num_targets"], each.fractals = 5, again.fractals
        trainer.fit(each, data, ckpt_path=tmp_path / name, weights_only=True)
    assert maps(resumed[0]).equal(maps(resumed[1]))


def test_next_steps_depend_on_the_number_of_targets() -> None:
    of_one = {"draw": "draw {best}", "images": "predict --ckpt_path {best}"}
    assert Reconstruction(num_targets=1).next_steps() == of_one
    sizes = "--model.num_fractals 5 --data.size 16"
    pretrain = f"fit --config pretraining.yaml --model.fractals {{best}} {sizes}"
    several = Reconstruction(num_targets=5, image_size=16).next_steps()
    assert several == of_one | {"pre-train": pretrain}


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_transforms": 0}, "num_transforms must be >= 1, got 0"),
        ({"num_points": 0}, "num_points must be >= 1, got 0"),
        ({"num_targets": 0}, "num_targets must be >= 1, got 0"),
        ({"candidates": 9}, "candidates must be <= num_sequences, got 9 and 4"),
        ({"halvings": [0]}, r"halvings must be increasing numbers of steps >= 1, got \[0\]"),
        ({"halvings": [4, 2]}, "halvings must be increasing"),
        ({"objective": "fixed", "candidates": 2}, "candidates must be 1 for objective fixed, got 2"),
        ({"objective": "maximum"}, "objective must be one of expectation, fixed, got 'maximum'"),
        ({"noise_on": "b"}, "noise_on must be one of all, matrices"),
        (
            {"start": "random"},
            "start must be one of anderson-farrell, fractaldb, even, collage, or the checkpoint",
        ),
        ({"start": "fractaldb", "num_transforms": 1, "num_targets": 1}, "start fractaldb"),
        ({"tau": 0.0}, "tau"),
        ({"tau_start": 0.0}, "tau"),
        ({"coverage": 0.0, "num_points": None}, "coverage must be > 0"),
        ({"coverage": 2.0}, "num_points or coverage must be null, got both"),
        ({"sequences": "odd"}, "sequences must be one of random, even, got 'odd'"),
        ({"clip": 0.0}, "clip must be > 0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Reconstruction(**SMALL | options)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (ImageData(size=16), {}, "Reconstruction needs target images: use datamodule=TargetData"),
        (
            TargetData(size=16, count=3),
            {"num_targets": 4},
            "num_targets must be 3, the targets of digits, got 4",
        ),
    ],
)
def test_other_data_is_refused(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        quiet_trainer(1, enable_checkpointing=False).fit(Reconstruction(**SMALL | options), data)


def test_run_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match="needs to know the last step: set Trainer\\(max_steps\\)"):
        quiet_trainer(-1, max_epochs=1).fit(Reconstruction(**SMALL), TargetData(size=16, count=2))


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"world_size": 6, "precision": "32-true"}, "6 processes need at least 6 targets, got 5"),
        ({"world_size": 2, "precision": "16-mixed"}, "Reconstruction needs full precision"),
    ],
)
def test_trainers_that_cannot_be_served_are_refused(trainer: dict[str, Any], message: str) -> None:
    data = TargetData(size=16, count=5)
    data.setup()
    task = Reconstruction(**SMALL)
    task.trainer = SimpleNamespace(  # type: ignore[assignment]
        datamodule=data, max_steps=5, global_rank=0, **trainer
    )
    with pytest.raises(InputError, match=message):
        task.setup("fit")


def test_run_of_which_no_target_is_finite_any_more_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    learn = TargetFractals.losses_and_gradients

    def diverged(self: TargetFractals, targets: Tensor, rows: Tensor, step: int, *given: Any) -> Any:
        losses, gradients = learn(self, targets, rows, step, *given)
        return losses if step < 3 else torch.full_like(losses, torch.inf), gradients

    monkeypatch.setattr(TargetFractals, "losses_and_gradients", diverged)
    with pytest.raises(FloatingPointError, match="the loss of every target is not finite at step 4"):
        quiet_trainer(6, log_every_n_steps=1).fit(Reconstruction(**SMALL), TargetData(size=16, count=5))


# -- several processes -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.broadcast_buffers. is deprecated")
@pytest.mark.parametrize("broadcast", [True, False])
def test_strategy_that_broadcasts_buffers_is_refused(broadcast: bool) -> None:
    task = Reconstruction(num_targets=2, **SMALL)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        model = DistributedDataParallel(task, broadcast_buffers=broadcast)
        task.trainer = SimpleNamespace(  # type: ignore[assignment]
            strategy=SimpleNamespace(model=model), optimizers=[]
        )
        with ExitStack() as stack:
            if broadcast:
                advice = r"use Trainer\(strategy=DDPStrategy\(broadcast_buffers=False\)\)"
                stack.enter_context(pytest.raises(InputError, match=advice))
            task.on_fit_start()
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("start", ["anderson-farrell", "collage"])
def test_two_processes_learn_what_one_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    monkeypatch.chdir(tmp_path)
    learn_targets.main(1, start)
    run_file(learn_targets.__file__, "2", start, cwd=tmp_path)
    for step in (3, 6):
        one, two = (torch.load(f"{ranks}-{step}.ckpt", weights_only=True) for ranks in (1, 2))
        for part in ("state_dict", "fractals", "optimizer_states"):
            assert leaves(one[part]) == leaves(two[part]), (step, part)
    states = [leaves(torch.load(f"{name}.pt")) for name in ("1-rank0", "2-rank0", "2-rank1")]
    assert states[0] == states[1] == states[2]  # at the end every rank knows all


def leaves(content: Any) -> Any:
    """Nested content with lists of numbers in place of tensors."""
    if isinstance(content, Tensor):
        return content.tolist()
    if isinstance(content, dict):
        return {key: leaves(value) for key, value in content.items()}
    return [leaves(each) for each in content] if isinstance(content, list | tuple) else content


# -- on the command line -----------------------------------------------------------------------


def state(path: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return found


def test_run_leaves_fractals_for_people_and_programs(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*FIT, "--run=whole") == 0
    content = json.loads(Path("whole/fractals.json").read_text())
    generator = FractalGenerator.from_pretrained("whole/fractals.safetensors")
    by_hand = FractalGenerator.from_pretrained("whole/fractals.json")
    for name in ("size", "num_points", "window", "tau", "jitter", "probabilities", "sequences"):
        assert getattr(by_hand, name) == getattr(generator, name)
    drawn = [each.draw(torch.arange(5), torch.Generator().manual_seed(0)) for each in (generator, by_hand)]
    assert (drawn[0] - drawn[1]).abs().mean() < 1e-3
    A, b = generator.embedding()
    for k, target in enumerate(content["targets"]):
        assert target["name"].startswith("digits ")
        torch.testing.assert_close(torch.tensor(target["A"]), A[k])
        torch.testing.assert_close(torch.tensor(target["b"]), b[k])
    metrics = [json.loads(line) for line in Path("whole/metrics.jsonl").read_text().splitlines()]
    assert sum(each["mse_min"] for each in content["targets"]) / 5 == pytest.approx(
        metrics[-1]["val/mse_min"], rel=1e-5
    )
    with Image.open("whole/figures/fit.gif") as film:
        assert film.n_frames == 7  # the start, and after each of 6 steps
    given = "--model.fractals whole/checkpoints/best.ckpt --model.num_fractals 5"
    assert f"pretraining.yaml {given} --data.size 16" in capsys.readouterr().out
    few = ["--trainer.max_steps=2", "--data.images_per_class=4", "--trainer.accelerator=cpu"]
    config = Path(__file__).parents[2] / "configs/pretraining.yaml"
    assert call("fit", f"--config={config}", *given.split(), "--data.size=16", *few) == 0


def test_checkpoint_is_validated_as_in_its_run(call: Call) -> None:
    assert call(*FIT, "--run=whole") == 0
    assert call("validate", "--ckpt_path=whole/checkpoints/last.ckpt") == 0
    validated = json.loads(Path("whole/evaluations.jsonl").read_text())
    last = json.loads(Path("whole/metrics.jsonl").read_text().splitlines()[-1])
    assert {name: validated[name] for name in last if name.startswith("val/")} == {
        name: value for name, value in last.items() if name.startswith("val/")
    }


@pytest.mark.parametrize(
    "options", [[], COLLAGE, [*COLLAGE, *IN_COLOR]], ids=["random start", "collage", "in color"]
)
@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_resumed_run_ends_as_an_uninterrupted_one(
    call: Call, options: list[str], stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(*FIT, *options, "--run=whole") == 0
    interrupted = signalled(Reconstruction, stop_after - 1, signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(Reconstruction, "training_step", interrupted)
        assert call(*FIT, *options, "--run=halves") == 143
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt") == 0
    whole, halves = (state(f"{run}/checkpoints/last.ckpt") for run in ("whole", "halves"))
    assert all(whole[name].equal(halves[name]) for name in whole)
    for name in ("metrics.jsonl", "fractals.json", "figures/fit.gif"):
        assert Path(f"whole/{name}").read_bytes() == Path(f"halves/{name}").read_bytes(), name


@pytest.mark.parametrize("kind", [[], IN_COLOR], ids=["grayscale", "in color"])
def test_two_processes_write_what_one_writes(tmp_path: Path, call: Call, kind: list[str]) -> None:
    assert call(*FIT, *kind, "--run=one") == 0
    options = [option for option in FIT[1:] if not option.startswith("--trainer.accelerator")]
    fit_by_two(*options, *kind, "--run=two", cwd=tmp_path)
    one, two = (state(f"{run}/checkpoints/last.ckpt") for run in ("one", "two"))
    assert all(one[name].equal(two[name]) for name in one)
    pictures = ("real.png", "fractals_000003.png", "before_after_real.png")
    for name in ("fractals.json", *(f"figures/{picture}" for picture in pictures)):
        assert Path(f"one/{name}").read_bytes() == Path(f"two/{name}").read_bytes(), name
    alone = ["--trainer.max_steps=7", "--trainer.devices=1", "--trainer.strategy=auto"]
    assert call("fit", "--ckpt_path=two/checkpoints/last.ckpt", *alone) == 0


def test_film_of_a_resumed_run_is_that_of_an_uninterrupted_one(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = [*FIT, "--trainer.max_steps=130", "--trainer.val_check_interval=130", "--data.count=2"]
    assert call(*long, "--run=whole") == 0
    interrupted = signalled(Reconstruction, 76, signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(Reconstruction, "training_step", interrupted)
        assert call(*long, "--run=halves") == 143
    assert Path("halves/figures/fit.gif").is_file()
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt") == 0
    assert Path("whole/figures/fit.gif").read_bytes() == Path("halves/figures/fit.gif").read_bytes()
    assert (
        call("fit", "--ckpt_path=whole/checkpoints/best.ckpt", "--run=branch", "--trainer.max_steps=131") == 0
    )
    assert Path("branch/checkpoints/last.ckpt").is_file()
