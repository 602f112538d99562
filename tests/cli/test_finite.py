"""A number that is not finite ends a run of any task; the error names the term and the step."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from fractalgan.tasks import Task
from tests.cli.folders import TASKS

Call = Callable[..., int]


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
        ("classifier", poison_loss, "the loss"),
        ("classifier", poison_step, "a parameter of the network"),
        ("distillation", poison_loss, "a parameter of the generator"),
        ("distillation", poison_gradient, "a gradient of the generator"),
        ("distillation", poison_step, "a parameter of the networks"),
        ("encoder", poison_loss, "the loss"),
        ("encoder", poison_gradient, "a gradient of the network"),
        ("encoder", poison_step, "a parameter of the network"),
        ("probe", poison_loss, "the loss"),
        ("probe", poison_gradient, "a gradient of the head"),
        ("probe", poison_step, "the loss"),  # L-BFGS evaluates it again within a step
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
    assert error.endswith("; start a new run with lower learning rates")
    last = torch.load("mine/checkpoints/last.ckpt", weights_only=True)
    assert last["global_step"] == 3
    assert all(value.isfinite().all() for value in last["state_dict"].values())
