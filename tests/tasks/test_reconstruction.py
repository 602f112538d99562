"""Reconstruction: every target by itself, whoever is beside it; the rows of Table 1 as options."""

import json
import math
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fractalgan import Reconstruction, TargetData, anderson_farrell
from fractalgan.errors import InputError
from fractalgan.measure import quiet_trainer
from fractalgan.nn import FractalGenerator
from fractalgan.ops import determinant_probabilities, render
from fractalgan.randomness import generator_for
from fractalgan.tasks.reconstruction import START, Results, _clip_each
from tests.cli.folders import signalled
from tests.conftest import TINY_RECONSTRUCTION
from tests.tasks.test_processes import fit_by_two

Call = Callable[..., int]

SMALL: dict[str, Any] = {"num_transforms": 3, "num_points": 60, "num_sequences": 4, "image_size": 16}
FIT = [
    "fit",
    "--model=fractalgan.Reconstruction",
    "--data=fractalgan.TargetData",
    *TINY_RECONSTRUCTION,
    "--trainer.log_every_n_steps=1",
]


def fitted(steps: int = 6, count: int = 5, **options: Any) -> tuple[Reconstruction, TargetData]:
    task = Reconstruction(**SMALL | options)
    data = TargetData(size=16, count=count)
    quiet_trainer(steps, val_check_interval=steps, enable_checkpointing=False).fit(task, data)
    return task, data


def maps(task: Reconstruction) -> Tensor:
    transforms = task.fitted().embedding()
    return torch.cat([transforms.A.detach().flatten(2), transforms.b.detach()], -1)


def test_images_come_closer_to_their_targets() -> None:
    drawn, _ = fitted(1, noise=0.0)
    learned, data = fitted(150)
    assert drawn.results is not None
    assert learned.results is not None
    assert (learned.results.mse_mean < drawn.results.mse_mean).all()
    assert learned.results.mse_mean.mean() < 0.6 * drawn.results.mse_mean.mean()
    low, mean, high, exploded = learned.results
    assert ((low < mean) & (mean < high)).all()
    assert exploded.sum() == 0
    assert data.targets is not None
    generator = learned.fitted()
    again = torch.stack([generator.draw(torch.arange(5)) for _ in range(200)])  # from other numbers
    torch.testing.assert_close((again - data.targets).square().mean((0, 2, 3, 4)), mean, rtol=0.1, atol=0)


@pytest.mark.parametrize("options", [{}, {"candidates": 4, "halvings": [2, 4]}, {"objective": "fixed"}])
def test_target_does_not_depend_on_those_beside_it(options: dict[str, Any]) -> None:
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
    """Against a fractal by itself: plain render, autograd, clipping by torch, torch's Adam."""
    options = {"matrices": "raw", "noise": 0.0, "objective": "fixed", "schedule": "constant", "clip": 0.01}
    task, data = fitted(2, 1, **options)
    transforms = anderson_farrell(1, 3, generator_for(0, int(data.indices[0]), START))
    A, b = (each.clone().requires_grad_() for each in transforms)
    uniform = torch.rand(4, 60, generator=generator_for(0, int(data.indices[0]), 622))
    levels = determinant_probabilities(transforms.A)[0].cumsum(0)
    sequences = torch.searchsorted(levels, uniform * levels[-1], right=True)
    adam = torch.optim.Adam([A, b], lr=0.05)
    assert data.targets is not None
    for _ in range(2):
        images = render(
            type(transforms)(A, b), torch.zeros(4, dtype=torch.long), sequences, size=(16, 16), window=2.5
        )
        loss = F.mse_loss(images, data.targets[0].expand(4, 16, 16))
        A.grad, b.grad = torch.autograd.grad(loss, [A, b])
        for parameter in (A, b):
            torch.nn.utils.clip_grad_norm_(parameter, 0.01)
        adam.step()
    found = task.fitted().embedding()
    torch.testing.assert_close(found.A, A, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.b, b, atol=1e-5, rtol=1e-5)


def test_fractal_that_explodes_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = fitted(count=4, matrices="raw", noise=0.0)
    begin = Reconstruction._begin

    def broken(self: Reconstruction, *given: Any) -> None:
        begin(self, *given)
        self.generator.embedding.matrices.A.data[1] = 3.0  # every map triples and more
        self.generator.embedding.matrices.A.data[3] = math.nan

    monkeypatch.setattr(Reconstruction, "_begin", broken)
    partly, _ = fitted(count=4, matrices="raw", noise=0.0)
    assert partly.results is not None
    assert partly.results.exploded.tolist() == [0, 1, 0, 1]
    assert partly.results.mse_min.isfinite().all()
    assert maps(partly)[[0, 2]].equal(maps(whole)[[0, 2]])


def test_gradients_are_clipped_each_by_itself() -> None:
    gradients = [torch.randn(5, 3, 2, 2), torch.randn(5, 3)]
    gradients[0][4], gradients[1][4] = 1e-4, 0.0
    clipped = _clip_each(gradients, 0.7)
    for k in range(5):
        parts = [gradient[k].clone() for gradient in gradients]
        norm = torch.cat([part.flatten() for part in parts]).norm()
        for found, part in zip(clipped, parts, strict=True):
            torch.testing.assert_close(found[k], part * min(1.0, 0.7 / norm.item()))


def test_schedules_go_by_the_share_of_the_run() -> None:
    task, _ = fitted(20, 1, schedule="halving", candidates=4, halvings=[3, 8], lr=0.08)
    assert [task._lr(step) for step in (0, 4, 5, 10, 19)] == pytest.approx([0.08, 0.08, 0.04, 0.02, 0.01])
    assert [task._left(step) for step in (0, 2, 3, 7, 8, 19)] == [4, 4, 2, 2, 1, 1]
    task.hparams["schedule"] = "cosine"
    assert [task._lr(step) for step in (0, 10)] == pytest.approx([0.08, 0.04])


def test_better_half_of_the_candidates_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    choose = Reconstruction._choose

    def watched(self: Reconstruction, losses: Tensor, rows: Tensor, left: int, step: int) -> None:
        seen.append(self.order[rows, :left].clone())
        choose(self, losses, rows, left, step)

    monkeypatch.setattr(Reconstruction, "_choose", watched)
    task, _ = fitted(6, 3, candidates=4, halvings=[2, 4], num_sequences=8)
    assert [each.shape[1] for each in seen] == [4, 4, 2, 2, 1, 1]
    for row in range(3):
        first, second, third = (set(each[row].tolist()) for each in seen[1::2])
        assert third < second < first == set(range(4 * row, 4 * row + 4))
    assert task.winners().tolist() == seen[-1].flatten().tolist()
    assert task.recent.view(3, 4).isfinite().sum(1).tolist() == [1, 1, 1]


def test_noise_moves_what_it_is_meant_to() -> None:
    still = {"lr": 1e-12, "noise_share": 1.0, "noise_interval": 1, "matrices": "raw"}
    drawn, all_moved, matrices_moved = (
        maps(fitted(1, 3, **still, **each)[0]).split([4, 2], -1)
        for each in ({"noise": 0.0}, {"noise": 0.1}, {"noise": 0.1, "noise_on": "matrices"})
    )
    for moved, b_too in ((all_moved, True), (matrices_moved, False)):
        assert (moved[0] - drawn[0]).std().item() == pytest.approx(0.1, rel=0.3)
        assert moved[1].allclose(drawn[1], atol=1e-6) is not b_too


def state(path: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return found


def test_run_leaves_fractals_for_people_and_programs(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*FIT, "--run=whole") == 0
    content = json.loads(Path("whole/fractals.json").read_text())
    generator = FractalGenerator.from_pretrained("whole/fractals.safetensors")
    by_hand = FractalGenerator.from_pretrained("whole/fractals.json")
    for name in ("size", "num_points", "window", "tau", "jitter", "probabilities"):
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
    from PIL import Image

    with Image.open("whole/figures/fit.gif") as film:
        assert film.n_frames == 7  # the start, and after each of 6 steps
    given = "--model.fractals whole/fractals.safetensors --model.num_fractals 5"
    assert f"pretraining.yaml {given} --data.size 16" in capsys.readouterr().out
    few = ["--trainer.max_steps=2", "--data.images_per_class=4", "--trainer.accelerator=cpu"]
    config = Path(__file__).parents[2] / "configs/pretraining.yaml"
    assert call("fit", f"--config={config}", *given.split(), "--data.size=16", *few) == 0


def test_checkpoint_is_judged_as_in_its_run(call: Call) -> None:
    assert call(*FIT, "--run=whole") == 0
    assert call("validate", "--ckpt_path=whole/checkpoints/last.ckpt") == 0
    judged = json.loads(Path("whole/evaluations.jsonl").read_text())
    last = json.loads(Path("whole/metrics.jsonl").read_text().splitlines()[-1])
    assert {name: judged[name] for name in last if name.startswith("val/")} == {
        name: value for name, value in last.items() if name.startswith("val/")
    }


@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_run_that_was_stopped_goes_on_as_if_it_had_not(
    call: Call, stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(*FIT, "--run=whole") == 0
    interrupted = signalled(Reconstruction, stop_after - 1, signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(Reconstruction, "training_step", interrupted)
        assert call(*FIT, "--run=halves") == 143
    assert call("fit", "--ckpt_path=halves/checkpoints/last.ckpt") == 0
    whole, halves = (state(f"{run}/checkpoints/last.ckpt") for run in ("whole", "halves"))
    assert all(whole[name].equal(halves[name]) for name in whole)
    for name in ("metrics.jsonl", "fractals.json", "figures/fit.gif"):
        assert Path(f"whole/{name}").read_bytes() == Path(f"halves/{name}").read_bytes(), name


def test_two_processes_give_what_one_gives(tmp_path: Path, call: Call) -> None:
    assert call(*FIT, "--run=one") == 0
    options = [option for option in FIT[1:] if not option.startswith("--trainer.accelerator")]
    fit_by_two(*options, "--run=two", cwd=tmp_path)
    one, two = (state(f"{run}/checkpoints/last.ckpt") for run in ("one", "two"))
    assert all(one[name].equal(two[name]) for name in one)
    pictures = ("real.png", "fractals_000003.png", "before_after_real.png")
    for name in ("fractals.json", *(f"figures/{picture}" for picture in pictures)):
        assert Path(f"one/{name}").read_bytes() == Path(f"two/{name}").read_bytes(), name
    alone = ["--trainer.max_steps=7", "--trainer.devices=1", "--trainer.strategy=auto"]
    assert call("fit", "--ckpt_path=two/checkpoints/last.ckpt", *alone) == 0


def test_film_of_a_run_that_was_stopped_is_that_of_one_that_was_not(
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


def test_results_are_of_every_target() -> None:
    task, _ = fitted(1, 7, chunk=3)
    assert isinstance(task.results, Results)
    assert all(len(each) == 7 for each in task.results)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.num_transforms=0"], "num_transforms: want 1 or more, got 0"),
        (["--model.num_points=0"], "num_points: want 1 or more, got 0"),
        (["--model.candidates=9"], "candidates: 8 sequences are too few for 9"),
        (["--model.halvings=[0]"], "halvings: want steps from 1 on, each above the one before it, got [0]"),
        (["--model.halvings=[4,2]"], "halvings: want steps from 1 on"),
        (["--model.objective=fixed"], "its sequences are those of one start, want candidates 1"),
        (["--model.start=fractaldb", "--model.num_transforms=1"], "start fractaldb: random systems of 1"),
        (["--data.size=7"], "size: want 8 or more, got 7"),
        (["--data.path=nowhere.png"], "no picture or folder nowhere.png: give one as --data.path"),
        (["--data.count=1000"], "count: the test set of digits has 180 images"),
        (["--data.per_class=100"], "per_class: a class has 13 images in the test set"),
        (["--data.name=cats"], "expected one of 'digits', 'MNIST', 'FashionMNIST', 'KMNIST', 'fractaldb'"),
        (["--data.binarize=1"], "binarize: want a level in [0, 1), or null for grey images, got 1.0"),
        (
            ["--data=fractalgan.ImageData"],
            "rebuilds targets: give --data fractalgan.TargetData",
        ),
        (["--trainer.max_steps=-1", "--trainer.max_time=00:00:00:05"], "give --trainer.max_steps"),
    ],
)
def test_bad_input_is_one_line(
    call: Call, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = FIT if "ImageData" not in options[0] else [each for each in FIT if "count" not in each]
    assert call(*given, *options) != 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("fractalgan: error: ")
    assert message in last
    assert not Path("runs").exists() or not any(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"world_size": 6, "precision": "32-true"}, "5 targets are too few for 6 processes"),
        ({"world_size": 2, "precision": "16-mixed"}, "give --trainer.precision 32-true"),
    ],
)
def test_trainers_that_cannot_be_served_are_told(trainer: dict[str, Any], message: str) -> None:
    data = TargetData(size=16, count=5)
    data.setup()
    task = Reconstruction(**SMALL)
    task._trainer = SimpleNamespace(datamodule=data, max_steps=5, **trainer)  # type: ignore[assignment]
    with pytest.raises(InputError, match=message):
        task.setup("fit")


def test_run_of_which_no_target_is_finite_any_more_is_ended(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    descend = Reconstruction._descend

    def diverged(self: Reconstruction, *given: Any) -> torch.Tensor:
        losses = descend(self, *given)
        return losses if self.global_step < 3 else torch.full_like(losses, torch.inf)

    monkeypatch.setattr(Reconstruction, "_descend", diverged)
    assert call(*FIT, "--run=mine") == 1
    assert "the loss of every target is not finite at step 4" in capsys.readouterr().err
