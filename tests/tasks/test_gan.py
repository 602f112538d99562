"""FractalGAN: which network learns when, from what, and that it learns at all."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

from fractalgan.data import ImageData
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import FractalGenerator, points_for, tau_for
from fractalgan.ops import set_render_threads
from fractalgan.randomness import RandomSource
from fractalgan.tasks import FractalGAN

Parts = dict[str, Tensor]

SIDES = ("discriminator", "generator")


def tiny(**options) -> FractalGAN:
    return FractalGAN(
        **{"num_fractals": 4, "num_transforms": 3, "num_points": 20, "image_size": 16} | options
    )


def digits() -> ImageData:
    return ImageData(size=16, batch_size=8)


def train(model: FractalGAN, steps: int = 3, *callbacks: Callback, **options) -> Trainer:
    given = {"val_check_interval": steps, "enable_checkpointing": False, "callbacks": list(callbacks)}
    trainer = quiet_trainer(steps, **given | options)
    trainer.fit(model, digits())
    return trainer


def parts(model: FractalGAN, side: str) -> Parts:
    return {name: value.detach().clone() for name, value in getattr(model, side).named_parameters()}


def moved(before: Parts, after: Parts) -> list[bool]:
    return [not before[name].equal(after[name]) for name in before]


class Watch(Callback):
    """Notes, for each step of an optimizer, which networks it has moved, and in which step of the run."""

    def __init__(self) -> None:
        self.moved: list[tuple[int, set[str]]] = []
        self.before: dict[str, Parts] | None = None

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        self._compare(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args) -> None:
        self._compare(trainer, pl_module)
        self.before = None

    def _compare(self, trainer: Trainer, model: LightningModule) -> None:
        now = {side: parts(model, side) for side in ("generator", "discriminator")}
        if self.before is not None:
            sides = {side for side, values in now.items() if any(moved(self.before[side], values))}
            assert all(all(moved(self.before[side], now[side])) for side in sides)
            self.moved.append((trainer.global_step, sides))
        self.before = now


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
def test_each_step_moves_the_discriminator_then_the_generator(precision) -> None:
    watch = Watch()
    train(tiny(r1_interval=2), 3, watch, precision=precision)
    expected = [(step + side, {name}) for step in range(3) for side, name in enumerate(SIDES)]
    assert watch.moved == expected


def test_gradient_hooks_of_both_optimizers_are_called() -> None:
    class Spoil(Callback):
        def on_before_optimizer_step(
            self, trainer: Trainer, pl_module: FractalGAN, optimizer: Optimizer
        ) -> None:
            if trainer.global_step == 1:
                pl_module.discriminator.head.bias.grad.fill_(torch.nan)

    model = tiny()
    with pytest.raises(FloatingPointError, match="a gradient of the discriminator is not finite at step 2"):
        train(model, 3, Spoil())


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

    def spy(self: FractalGAN, fractals: Tensor, random: RandomSource) -> Tensor:
        assert random.generator is not None
        sequences_from = random.generator.get_state().clone()
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
    stds: list[float] = []
    monkeypatch.setattr(
        "fractalgan.tasks.gan.instance_noise",
        lambda images, std, *_: (stds.append(std), images)[1],
    )
    train(tiny(instance_noise=0.4), 4)
    assert stds[::2] == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_parameter_noise_comes_at_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    model = tiny(parameter_noise=0.1, parameter_noise_interval=3)
    monkeypatch.setattr(model.generator.embedding, "perturb_", lambda std, _: calls.append(std))
    train(model, 7)
    assert calls == [0.1, 0.1, 0.1]


@pytest.mark.parametrize("loss", ["non-saturating", "hinge", "wasserstein"])
@pytest.mark.parametrize("matrices", ["sigmoid", "clamp", "unbounded", "raw"])
def test_every_loss_trains_every_form(loss, matrices) -> None:
    """The discriminator tells frozen fractals from real images better after some steps."""
    frozen = {"prototypes": 0, "generator_lr": 1e-6}
    model = tiny(loss=loss, matrices=matrices, start="fractaldb", discriminator_lr=0.01, **frozen)
    before = parts(model, "generator")
    (first,) = quiet_trainer(1).validate(model, digits(), verbose=False)
    last = train(model, 20).callback_metrics
    assert last["val/discriminator_loss"] < first["val/discriminator_loss"] - 0.05
    assert all(moved(before, parts(model, "generator")))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads that wait for each other make so small a training slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    set_render_threads(1)
    yield
    set_render_threads(None)
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_fractals_come_to_look_like_the_digits() -> None:
    """The distance to real images falls to a half at least; for seeds 0 to 3 it fell to 0.23 to 0.31."""
    model, data = FractalGAN(num_fractals=20, image_size=16), ImageData(size=16, batch_size=50)
    trainer = quiet_trainer(400, val_check_interval=400, enable_checkpointing=False)
    (before,) = trainer.validate(model, data, verbose=False)
    trainer.fit(model, data)
    after = trainer.callback_metrics
    assert after["val/frechet_pixels"] < 0.5 * before["val/frechet_pixels"]
    assert after["val/collapsed"] == 0


def test_fractals_move_to_their_prototypes() -> None:
    """Against a discriminator that does not learn, the distance from the prototypes falls to a half."""
    model = FractalGAN(num_fractals=8, image_size=16, discriminator_lr=1e-9)
    distances: list[float] = []

    class Note(Callback):
        def on_train_batch_end(self, trainer: Trainer, *args) -> None:
            distances.append(trainer.callback_metrics["train/prototype_distance"].item())

    trainer = quiet_trainer(60, callbacks=[Note()], enable_checkpointing=False, log_every_n_steps=1)
    trainer.fit(model, ImageData(size=16, batch_size=16))
    assert sum(distances[-5:]) < 0.5 * sum(distances[:5])


def test_without_prototypes_none_are_chosen(tmp_path: Path) -> None:
    model = tiny(prototypes=0)
    train(model, 1).save_checkpoint(tmp_path / "one.ckpt")
    assert model.prototypes is None
    assert torch.load(tmp_path / "one.ckpt", weights_only=True)["prototypes"] is None


def test_prototypes_are_training_images_and_stay_the_same_on_resume(tmp_path: Path) -> None:
    model, data = tiny(), digits()
    trainer = quiet_trainer(1, enable_checkpointing=False)
    trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    assert model.prototypes is not None
    assert data.train_images is not None
    real, _ = data.train_images[:]
    assert model.prototypes.dtype == torch.uint8
    assert all((real == each / 255).flatten(1).all(1).any() for each in model.prototypes)
    other = ImageData(size=16, batch_size=8, binarize=0.9)  # which would have other prototypes
    resumed = tiny()
    quiet_trainer(2, enable_checkpointing=False).fit(
        resumed, other, ckpt_path=tmp_path / "one.ckpt", weights_only=True
    )
    assert resumed.prototypes is not None
    assert resumed.prototypes.equal(model.prototypes)
    assert resumed.hparams["tau"] == resumed.generator.tau == model.generator.tau
    multiples = [each.generator.embedding.relative_tau for each in (model, resumed)]
    assert all(each is not None for each in multiples)
    assert multiples[0].equal(multiples[1])


def test_tau_follows_the_bright_area_unless_it_is_given() -> None:
    """Of 60 points three times over an area, each of which covers pi * tau; within its limits."""
    taus = {}
    for binarize in (0.2, 0.8):
        data = ImageData(size=16, batch_size=8, binarize=binarize)
        model = tiny(num_points=60)
        quiet_trainer(1, enable_checkpointing=False).fit(model, data)
        assert data.train_images is not None
        area = data.train_images[:][0].mean().item() * 16**2
        taus[binarize] = model.generator.tau
        assert model.hparams["tau"] == taus[binarize] == pytest.approx(3 * area / (torch.pi * 60), rel=1e-5)
        assert model.prototypes is not None
        areas = (model.prototypes / 255).flatten(1).sum(1)
        wanted = (3 * areas / (torch.pi * 60)).clamp(0.25, 4)
        relative = model.generator.embedding.relative_tau
        assert relative is not None
        assert ((relative * taus[binarize] / wanted).log2().abs() <= 0.2501).all()  # rounded
    assert taus[0.8] < 0.7 * taus[0.2]
    explicit = tiny(tau=0.8)
    train(explicit, 1)
    assert explicit.generator.tau == 0.8
    assert explicit.generator.embedding.relative_tau is None
    alone = tiny(prototypes=0)
    train(alone, 1)
    assert alone.generator.embedding.relative_tau is None


def test_prototypes_are_chosen_for_a_checkpoint_without(tmp_path: Path) -> None:
    """Its fractals and points stay as they are."""
    train(tiny(prototypes=0, tau=0.7), 1).save_checkpoint(tmp_path / "one.ckpt")
    again = FractalGAN.load_from_checkpoint(tmp_path / "one.ckpt", weights_only=True, prototypes=50.0)
    learned = parts(again, "generator")
    again.hparams["generator_lr"] = 0.0
    train(again, 1)
    assert again.prototypes is not None
    assert again.generator.tau == 0.7
    assert not any(moved(learned, parts(again, "generator")))


def test_scores_are_of_the_images_at_hand() -> None:
    """Not of those that an earlier validation has seen."""
    model = tiny()
    found = {}
    for binarize in (0.2, 0.8):
        data = ImageData(size=16, batch_size=8, binarize=binarize)
        (found[binarize],) = quiet_trainer(1).validate(model, data, verbose=False)
    assert found[0.2]["val/iou_other"] > found[0.8]["val/iou_other"]


def test_plain_loaders_give_prototypes_from_the_first_batch() -> None:
    images = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(0)).round()
    loader = DataLoader(TensorDataset(images, torch.full((8,), -1)), batch_size=8)
    model = tiny()
    quiet_trainer(2, enable_checkpointing=False).fit(model, loader, loader)
    assert model.prototypes is not None
    assert all((images == each / 255).flatten(1).all(1).any() for each in model.prototypes)


def test_learning_rate_of_the_fractals_falls_to_zero() -> None:
    rates: list[float] = []

    class Note(Callback):
        def on_train_batch_end(self, trainer: Trainer, *args) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    train(tiny(generator_lr=0.4), 4, Note())
    assert rates == pytest.approx([0.4, 0.2 * (1 + 0.5**0.5), 0.2, 0.2 * (1 - 0.5**0.5)])
    rates.clear()
    train(tiny(generator_lr=0.4, generator_schedule="constant"), 2, Note())
    assert rates == [0.4, 0.4]


@pytest.mark.parametrize(
    "name", ["probabilities", "sequences", "prototypes", "generator_schedule", "conditional"]
)
def test_older_checkpoint_is_what_it_was(tmp_path: Path, name: str) -> None:
    """Older ones had no prototypes, a constant rate, random sequences, and probabilities by determinant."""
    earlier = {"probabilities": "determinant", "sequences": "random", "generator_schedule": "constant"}
    before = tiny(**earlier, prototypes=0)
    train(before, 1).save_checkpoint(tmp_path / "now.ckpt")
    checkpoint = torch.load(tmp_path / "now.ckpt", weights_only=True)
    del checkpoint["hyper_parameters"][name]
    torch.save(checkpoint, tmp_path / "old.ckpt")
    again = FractalGAN.load_from_checkpoint(tmp_path / "old.ckpt", weights_only=True)
    assert again.hparams[name] == before.hparams[name]
    assert (again.generator.probabilities, again.generator.sequences) == ("determinant", "random")
    assert again.gallery().equal(before.gallery())


def test_generator_learns_to_please_a_fixed_discriminator() -> None:
    """With the discriminator held, the generator's loss falls: the gradient points the right way."""
    model = tiny(num_points=100, prototypes=0, instance_noise=0.0, generator_lr=0.05)
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
        ({"num_fractals": 0}, "num_fractals must be >= 1, got 0"),
        ({"num_transforms": 0}, "num_transforms"),
        ({"num_points": -3}, "num_points"),
        ({"r1_interval": 0}, "r1_interval"),
        ({"instance_noise": -0.1}, "instance_noise"),
        ({"window": 0.0}, "window"),
        ({"tau": 1e9}, "tau"),
        ({"tau": float("nan")}, "tau"),
        ({"generator_lr": 0.0}, "generator_lr"),
        ({"image_size": 8}, "image_size"),
        ({"sigma_min": 0.9, "sigma_max": 0.1}, "sigma_min"),
        ({"prototypes": -1.0}, "prototypes must be >= 0, got -1.0"),
        ({"probabilities": "even"}, "probabilities must be one of determinant, area, uniform, got 'even'"),
        ({"start": "photo"}, "start must be one of anderson-farrell, fractaldb, even, collage, got 'photo'"),
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


def test_points_and_tau_follow_the_size_and_explicit_values_win() -> None:
    large = FractalGAN(num_fractals=4, image_size=64)
    assert (large.generator.num_points, large.generator.tau) == (points_for(64), tau_for(64))
    assert (large.hparams["num_points"], large.hparams["tau"]) == (points_for(64), tau_for(64))
    explicit = FractalGAN(num_fractals=4, image_size=64, num_points=50, tau=0.5)
    assert (explicit.generator.num_points, explicit.generator.tau) == (50, 0.5)


@pytest.mark.parametrize("trained", [False, True])
def test_pickled_task_draws_the_same_images(trained: bool) -> None:
    model = tiny(loss="hinge")
    if trained:
        train(model, 1)
    again = pickle.loads(pickle.dumps(model))
    assert again.gallery().equal(model.gallery())
    assert again.loss == model.loss
    train(again, 1)


@pytest.mark.parametrize("tau", [{"tau": 0.7}, {}])
def test_checkpoint_serves_as_fractals(tau, tmp_path: Path) -> None:
    model = tiny(jitter=0.2, **tau)
    train(model, 2).save_checkpoint(tmp_path / "gan.ckpt")
    entry = torch.load(tmp_path / "gan.ckpt", weights_only=True)["fractals"]
    assert entry["provenance"] == {
        "task": "FractalGAN",
        "step": 2,
        "seed": 0,
        "data": {
            "name": "digits",
            "split": "train",
            "images": 1797,
            "validation_share": 0.1,
            "test_share": 0.1,
        },
    }
    read = FractalGenerator.from_pretrained(tmp_path / "gan.ckpt")
    assert (read.size, read.num_points, read.jitter) == ((16, 16), 20, 0.2)
    assert read.tau == model.generator.tau
    assert (read.embedding.relative_tau is None) == bool(tau)
    drawn = [each.draw(range(4), torch.Generator().manual_seed(0)) for each in (read, model.generator)]
    assert drawn[0].equal(drawn[1])


def test_next_steps_name_the_sizes_that_differ_from_the_defaults() -> None:
    assert tiny().next_steps()["pre-train"] == (
        "fit --config pretraining.yaml --model.fractals {best} --model.num_fractals 4 --data.size 16"
    )
    assert FractalGAN().next_steps()["pre-train"] == "fit --config pretraining.yaml --model.fractals {best}"


def test_learning_rate_that_falls_needs_a_last_step() -> None:
    endless = quiet_trainer(-1, max_time={"seconds": 1}, enable_checkpointing=False)
    with pytest.raises(
        InputError, match=r"generator_schedule cosine needs to know the last step: set Trainer\(max_steps"
    ):
        endless.fit(tiny(), digits())
    endless.fit(tiny(generator_schedule="constant"), digits())
    assert endless.global_step > 0


class WatchFractals(Callback):
    """Notes which fractals each step has moved."""

    def __init__(self) -> None:
        self.moved: list[list[bool]] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: FractalGAN, *args) -> None:
        self.before = pl_module.generator.embedding.b.detach().clone()

    def on_train_batch_end(self, trainer: Trainer, pl_module: FractalGAN, *args) -> None:
        now = pl_module.generator.embedding.b.detach()
        self.moved.append((now != self.before).flatten(1).any(1).tolist())


def test_sparse_adam_moves_only_the_fractals_that_are_drawn() -> None:
    """Of twelve, a batch of eight draws others at every step."""
    watch = WatchFractals()
    model = tiny(num_fractals=12, generator_optimizer="SparseAdam")
    train(model, 3, watch)
    assert [sum(each) for each in watch.moved] == [8, 8, 8]
    watch = WatchFractals()
    train(tiny(num_fractals=12), 3, watch)
    assert sum(watch.moved[-1]) > 8
