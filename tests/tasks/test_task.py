"""What all tasks share: numbers that stay finite, names, and states of older checkpoints."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fractalgan import (
    Classifier,
    Distillation,
    FractalAutoencoder,
    FractalGAN,
    InverseEncoder,
    LinearProbe,
    Pretraining,
    Reconstruction,
)
from fractalgan import callbacks as all_callbacks
from fractalgan.data import ImageData
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.tasks import FractalTask, Task

TASKS = [
    FractalAutoencoder,
    FractalGAN,
    InverseEncoder,
    LinearProbe,
    Pretraining,
    Reconstruction,
    Classifier,
    Distillation,
]


def task_on(precision_plugin: SimpleNamespace) -> tuple[FractalGAN, torch.optim.Optimizer]:
    task = FractalGAN(num_fractals=4, num_transforms=3, num_points=20, image_size=16)
    task.trainer = SimpleNamespace(  # type: ignore[assignment]
        precision_plugin=precision_plugin, log_every_n_steps=1, callbacks=[], global_step=0
    )
    optimizer = torch.optim.SGD(task.generator.parameters(), lr=1.0)
    for parameter in task.generator.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)
    return task, optimizer


def test_gradient_that_is_not_finite_is_named() -> None:
    task, optimizer = task_on(SimpleNamespace())
    with pytest.raises(FloatingPointError, match="a gradient of the generator is not finite at step 1"):
        task.on_before_optimizer_step(optimizer)


@pytest.mark.parametrize(("scale", "ends"), [(65536.0, False), (1.0, False), (0.5, True)])
def test_scaler_leaves_steps_out_until_it_has_nothing_left_to_scale(scale: float, ends: bool) -> None:
    """Half precision: a step that overflows is no defect, gradients that never fit are one."""
    task, optimizer = task_on(SimpleNamespace(scaler=SimpleNamespace(get_scale=lambda: scale)))
    if not ends:
        task.on_before_optimizer_step(optimizer)
        return
    with pytest.raises(FloatingPointError, match="gradients are not finite"):
        task.on_before_optimizer_step(optimizer)


@pytest.mark.parametrize("kind", TASKS)
def test_tasks_say_what_the_command_line_needs(kind: type[Task]) -> None:
    assert kind.monitor.startswith("val/")
    assert all(hasattr(all_callbacks, name) for name in kind.callbacks)
    if kind is not Distillation:  # which has no fractals yet
        task = kind(num_targets=2) if kind is Reconstruction else kind()
        assert task.next_steps()


def test_run_folders_are_named_after_the_task() -> None:
    class MyGAN(FractalGAN):
        """A task of a user's own."""

    names = [kind.run_name for kind in (*TASKS, MyGAN)]
    expected = ["autoencoder", "gan", "encoder", "probe", "pretraining", "reconstruction", "classifier"]
    assert names == [*expected, "distillation", "mygan"]


def test_tasks_that_learn_fractals_are_known() -> None:
    assert {kind for kind in TASKS if issubclass(kind, FractalTask)} == {
        Distillation,
        FractalGAN,
        Reconstruction,
    }
    with pytest.raises(TypeError, match="abstract"):
        FractalTask()  # type: ignore[abstract]


def test_names_of_older_states_are_read() -> None:
    class Renamed(Task):
        """A task with a module and a tensor that had other names."""

        legacy_names = {"deviation": "std", "net": "parts.net"}

    checkpoint = {"state_dict": {"deviation": 1, "net.0.weight": 2, "network.deviation": 3}}
    Renamed().on_load_checkpoint(checkpoint)
    assert checkpoint["state_dict"] == {"std": 1, "parts.net.0.weight": 2, "network.deviation": 3}


def test_optimizer_state_of_other_shapes_is_refused(tmp_path: Path) -> None:
    options = {"num_transforms": 3, "num_points": 20, "image_size": 16}
    trainer = quiet_trainer(1, limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(FractalGAN(num_fractals=4, **options), ImageData(size=16, batch_size=8))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    moments = content["optimizer_states"][0]["state"][0]
    moments["exp_avg"] = moments["exp_avg"][:3]
    torch.save(content, tmp_path / "wrong.ckpt")
    with pytest.raises(InputError, match="the optimizer states in the checkpoint do not fit its parameters"):
        quiet_trainer(2, limit_val_batches=0, enable_checkpointing=False).fit(
            FractalGAN(num_fractals=4, **options),
            ImageData(size=16, batch_size=8),
            ckpt_path=tmp_path / "wrong.ckpt",
            weights_only=True,
        )
