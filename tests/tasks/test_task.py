"""Numbers that stay finite, where no run is needed to see it."""

from types import SimpleNamespace

import pytest
import torch

from fractalgan import FractalGAN


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
