from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor

from fractalgan.data import ImageData
from fractalgan.errors import InputError
from fractalgan.tasks import FractalGAN

Parts = dict[str, Tensor]


def tiny(**options) -> FractalGAN:
    return FractalGAN(
        **{"num_fractals": 4, "num_transforms": 3, "num_points": 20, "image_size": 16} | options
    )


def digits() -> ImageData:
    return ImageData(size=16, batch_size=8)


def train(model: FractalGAN, steps: int = 3, *callbacks: Callback, **options) -> Trainer:
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        val_check_interval=steps,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **options,
    )
    trainer.fit(model, digits())
    return trainer


def parts(model: FractalGAN, side: str) -> Parts:
    return {name: value.detach().clone() for name, value in getattr(model, side).named_parameters()}


def moved(before: Parts, after: Parts) -> list[bool]:
    return [not before[name].equal(after[name]) for name in before]


def test_each_optimizer_moves_only_its_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(r1_interval=1)
    descend = FractalGAN._descend
    steps: list[str] = []

    def watched(self: FractalGAN, optimizer: LightningOptimizer, loss: Tensor) -> None:
        before = {each: parts(self, each) for each in ("generator", "discriminator")}
        side = "discriminator" if optimizer is self.optimizers()[1] else "generator"  # type: ignore[index]
        descend(self, optimizer, loss)
        for each, values in before.items():
            expected = each == side
            assert all(changed == expected for changed in moved(values, parts(self, each))), (each, side)
        steps.append(side)

    monkeypatch.setattr(FractalGAN, "_descend", watched)
    train(model, 3)
    assert steps == ["discriminator", "generator"] * 3


def test_both_networks_move_in_every_step() -> None:
    model = tiny()
    before = {side: parts(model, side) for side in ("generator", "discriminator")}
    train(model, 1)
    for side, values in before.items():
        assert all(moved(values, parts(model, side)))


def test_one_batch_counts_as_one_step() -> None:
    seen: list[tuple[int, int]] = []

    class Count(Callback):
        def on_train_batch_end(self, trainer: Trainer, *args) -> None:
            seen.append((trainer.global_step, args[-1]))

    trainer = train(tiny(), 5, Count())
    assert trainer.global_step == 5
    assert seen == [(batch + 1, batch) for batch in range(5)]


def test_every_fractal_is_drawn_equally_often() -> None:
    model = tiny()
    counts = torch.bincount(model._every_fractal_equally(10, step=3), minlength=4)
    assert sorted(counts.tolist()) == [2, 2, 3, 3]
    assert torch.bincount(model._every_fractal_equally(8, step=4)).tolist() == [2, 2, 2, 2]


def test_validation_draws_fresh_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the images of a training batch nor, of one fractal, the same image twice."""
    drawn: dict[str, list[Tensor]] = {"train": [], "val": []}
    forward = FractalGAN.forward

    def spy(self: FractalGAN, fractals: Tensor, random: torch.Generator | None = None) -> Tensor:
        sequences_from = random.get_state().clone()
        drawn["train" if self.trainer.training else "val"].append(sequences_from)
        return forward(self, fractals, random)

    monkeypatch.setattr(FractalGAN, "forward", spy)
    train(tiny(), 3)
    states = [state.numpy().tobytes() for group in drawn.values() for state in group]
    assert len(drawn["train"]) == 3
    assert len(drawn["val"]) > 3
    assert len(set(states)) == len(states)


def test_two_runs_with_one_seed_are_equal_to_the_bit() -> None:
    first, second, other = tiny(), tiny(), tiny(seed=1)
    for model in (first, second, other):
        torch.manual_seed(0)  # the discriminator's weights come from torch's own generator
        model.discriminator.apply(lambda m: m.reset_parameters() if hasattr(m, "reset_parameters") else None)
        train(model, 4)
    same = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(one.equal(two) for one, two in same)
    assert not first.generator.embedding.b.equal(other.generator.embedding.b)


def test_instance_noise_fades_over_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    deviations: list[float] = []
    monkeypatch.setattr(
        "fractalgan.tasks.gan.instance_noise",
        lambda images, std, *_: (deviations.append(std), images)[1],
    )
    train(tiny(instance_noise=0.4), 4)
    assert deviations[::2] == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_parameter_noise_comes_at_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    model = tiny(parameter_noise=0.1, parameter_noise_interval=3)
    monkeypatch.setattr(model.generator.embedding, "perturb_", lambda std, _: calls.append(std))
    train(model, 7)
    assert calls == [0.1, 0.1, 0.1]


@pytest.mark.parametrize("loss", ["non-saturating", "hinge", "wasserstein"])
@pytest.mark.parametrize("matrices", ["sigmoid", "clamp", "raw"])
def test_every_loss_trains_every_form(loss, matrices) -> None:
    trainer = train(tiny(loss=loss, matrices=matrices, start="fractaldb", parameter_noise=0.01), 2)
    assert trainer.callback_metrics["val/frechet_pixels"].isfinite()


def test_generator_learns_to_please_a_fixed_discriminator() -> None:
    """With the discriminator held, the generator's loss falls: the gradient points the right way."""
    model = tiny(num_points=100, instance_noise=0.0, generator_lr=0.05)
    losses: list[float] = []

    class Note(Callback):
        def on_train_batch_end(self, trainer: Trainer, *args) -> None:
            losses.append(trainer.callback_metrics["train/generator_loss"].item())

    model._train_discriminator = lambda *_: None  # type: ignore[method-assign]
    train(model, 40, Note(), log_every_n_steps=1)
    assert sum(losses[-5:]) < sum(losses[:5])


def test_loss_that_is_not_finite_stops_the_run_before_the_step() -> None:
    model = tiny()
    with torch.no_grad():
        model.discriminator.head.bias.fill_(float("nan"))
    before = parts(model, "generator")
    with pytest.raises(FloatingPointError, match=r"discriminator's loss is not finite at step 1$"):
        train(model, 2)
    assert not any(moved(before, parts(model, "generator")))


def test_checkpoint_loads_without_running_code(tmp_path: Path) -> None:
    model = tiny(sigma_max=0.8)
    trainer = train(model, 1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    again = FractalGAN.load_from_checkpoint(tmp_path / "one.ckpt", weights_only=True)
    assert again.hparams["sigma_max"] == 0.8
    assert again.gallery().equal(model.gallery())


def test_metrics_keep_no_weights_in_the_checkpoint() -> None:
    assert {name.split(".")[0] for name in tiny().state_dict()} == {"generator", "discriminator", "last_r1"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_fractals": 0}, "num_fractals: want 1 or more, got 0"),
        ({"num_transforms": 0}, "num_transforms"),
        ({"num_points": -3}, "num_points"),
        ({"r1_interval": 0}, "r1_interval"),
        ({"instance_noise": -0.1}, "instance_noise"),
        ({"window": 0.0}, "want window in"),
        ({"tau": 1e9}, "want tau in"),
        ({"tau": float("nan")}, "tau"),
        ({"generator_lr": 0.0}, "generator_lr"),
        ({"image_size": 8}, "image_size"),
        ({"sigma_min": 0.9, "sigma_max": 0.1}, "sigma_min"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny(**options)


@pytest.mark.parametrize("optimizer", ["Adam", "NAdam", "RAdam"])
def test_both_optimizers_can_be_chosen(optimizer) -> None:
    model = tiny(generator_optimizer=optimizer, generator_lr=0.3, discriminator_betas=(0.1, 0.2))
    generator, discriminator = model.configure_optimizers()
    assert type(generator).__name__ == optimizer
    assert generator.param_groups[0]["lr"] == 0.3
    assert type(discriminator).__name__ == "Adam"
    assert discriminator.param_groups[0]["betas"] == (0.1, 0.2)


def test_prediction_draws_every_fractal_in_every_batch() -> None:
    model = tiny()
    loader = iter(model.predict_dataloader())
    batches = [model.predict_step(next(loader), number) for number in range(2)]
    for fractals, images in batches:
        assert fractals.tolist() == [0, 1, 2, 3]
        assert images.shape == (4, 1, 16, 16)
    assert not batches[0][1].equal(batches[1][1])
