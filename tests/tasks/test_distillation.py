"""Distillation: labeled fractals move, their networks are trained, and both are resumed to the bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import Ridge
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan import (
    Classifier,
    Distillation,
    FractalData,
    FractalGenerator,
    ImageData,
    LabeledFractalData,
    TargetData,
)
from fractalgan.data import EndlessBatches
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import (
    Augmentation,
    ClassSums,
    DistillationLoss,
    class_sums,
    distribution_loss,
    ridge_loss,
    ridge_weights,
)
from fractalgan.randomness import Purpose, RandomSource, generator_for
from fractalgan.storage import read_fractals, write_fractals
from fractalgan.tasks.distillation import NetworkImages, set_gradients
from tests.data.files import labeled_fractals, save, shape

TINY: dict[str, Any] = {"image_size": 16, "width": 4, "num_images": 20, "networks": 3, "max_age": 2}
LOSSES: list[DistillationLoss] = ["ridge", "distribution"]


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A file of 20 fractals of ten classes."""
    return str(labeled_fractals(tmp_path / "labeled.safetensors"))


def images(**options: Any) -> ImageData:
    return ImageData(**{"size": 16, "batch_size": 32, "binarize": None} | options)


def fit(task: Distillation, steps: int, data: Any = None, **options: Any) -> Distillation:
    given = {"val_check_interval": steps, "enable_checkpointing": False} | options
    quiet_trainer(steps, **given).fit(task, images() if data is None else data)
    return task


def parameters(task: Distillation) -> list[Tensor]:
    return [each.detach().clone() for each in task.learned_fractals().parameters()]


@torch.no_grad()
def loss_on_fixed_images(task: Distillation, generator: FractalGenerator) -> float:
    """The loss of 100 images of the fractals and 500 real ones, on the features of the task's network."""
    data = images()
    data.setup()
    assert data.train_images is not None
    real, classes = data.train_images[:500]
    labels = torch.arange(20).repeat(5) // 2
    drawn = generator.draw(torch.arange(20).repeat(5), torch.Generator().manual_seed(3))
    features, real_features = (task.networks[0].embed(each) for each in (drawn, real))
    if task.hparams["loss"] == "ridge":
        weights = ridge_weights(features, labels, 10, task.hparams["ridge"])
        return float(ridge_loss(real_features @ weights, classes))
    pairs = (features, labels), (real_features, classes)
    return float(distribution_loss(*(class_sums(*each, 10) for each in pairs), labels.bincount()))


@pytest.mark.parametrize("loss", LOSSES)
def test_fractals_move_to_where_the_loss_is_lower(loss: DistillationLoss, source: str) -> None:
    start = FractalGenerator.from_pretrained(source)
    still = {"networks": 1, "network_lr": 1e-9, "max_age": 1000}  # the network stays as it is
    task = Distillation(source, loss, image_size=16, width=16, num_images=60, lr=0.03, **still)
    fit(task, 80, images(batch_size=200))
    learned = task.learned_fractals()
    assert loss_on_fixed_images(task, learned) < 0.8 * loss_on_fixed_images(task, start)
    for found, before in zip(learned.parameters(), start.parameters(), strict=True):
        assert not found.equal(before)
    assert task.labels.equal(start.embedding.labels)
    assert learned.embedding.classes == start.embedding.classes


def test_loss_of_some_fractals_is_told_the_sizes_of_all_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = read_fractals(labeled_fractals(tmp_path / "even.safetensors", per_class=4))
    labels = content.parameters["labels"].clone()
    labels[:3] = 9  # of the four of class 0
    uneven = tmp_path / "uneven.safetensors"
    write_fractals(uneven, content._replace(parameters={**content.parameters, "labels": labels}))
    seen: list[tuple[ClassSums, Tensor]] = []

    def watched(drawn: ClassSums, real: ClassSums, set_sizes: Tensor) -> Tensor:
        seen.append((drawn, set_sizes))
        return distribution_loss(drawn, real, set_sizes)

    monkeypatch.setattr("fractalgan.tasks.distillation.distribution_loss", watched)
    fit(Distillation(str(uneven), **TINY), 3)
    assert len(seen) == 3
    for drawn, set_sizes in seen:
        assert set_sizes.tolist() == [1, 4, 4, 4, 4, 4, 4, 4, 4, 7]
        assert drawn.counts.sum() == 20
        assert (drawn.counts <= set_sizes).all()


def test_images_of_a_step_are_augmented_alike(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor | None] = []
    augment = Augmentation.__call__

    def watched(
        self: Augmentation, given: Tensor, random: RandomSource, numbers: Tensor | None = None
    ) -> Tensor:
        seen.append(numbers)
        return augment(self, given, random, numbers)

    monkeypatch.setattr(Augmentation, "__call__", watched)
    fit(Distillation(source, **TINY), 3)
    drawn, real = seen[::2], seen[1::2]
    for one, other in zip(drawn, real, strict=True):
        assert one is not None
        assert one is other
    assert len({tuple(each.flatten().tolist()) for each in drawn if each is not None}) == 3


@pytest.mark.parametrize("kind", ["drawn", "real"])
def test_networks_learn_from_drawn_or_real_images(kind: NetworkImages, source: str) -> None:
    task = Distillation(
        source,
        network_images=kind,
        image_size=16,
        width=16,
        num_images=60,
        networks=1,
        network_lr=1e-2,
        lr=1e-9,  # the fractals stay as they are: random ones
    )
    data = images(batch_size=100)
    fit(task, 60, data)
    assert data.validation_images is not None
    drawn = task.learned_fractals().draw(torch.arange(20), torch.Generator().manual_seed(3))
    batches = {"drawn": (drawn, task.labels), "real": data.validation_images[:]}
    shares = {
        name: float((task.networks[0](batch).argmax(1) == labels).float().mean())
        for name, (batch, labels) in batches.items()
    }
    assert shares.pop(kind) > 0.75
    assert max(shares.values()) < 0.4


def test_each_step_trains_one_network_and_replaces_old_ones(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[int], list[Tensor]]] = []
    train = Distillation._train

    def watched(self: Distillation, number: int, *rest: Any) -> None:
        train(self, number, *rest)
        heads = [self.networks[each].head.weight.detach().clone() for each in range(3)]
        seen.append((self.networks.ages.tolist(), heads))

    monkeypatch.setattr(Distillation, "_train", watched)
    fit(Distillation(source, **TINY), 8, limit_val_batches=0)
    ages, replaced = [0, 0, 1], 0
    for (found, heads), (_, former) in zip(seen[1:], seen, strict=False):
        changed = [number for number in range(3) if not heads[number].equal(former[number])]
        assert len(changed) == 1
        replaced += found[changed[0]] == 0
    first = [found - before for found, before in zip(seen[0][0], ages, strict=True)]
    assert sorted(first) in ([-1, 0, 0], [0, 0, 1])
    assert all(max(found) < TINY["max_age"] for found, _ in seen)
    assert replaced > 2


@pytest.mark.parametrize("loss", LOSSES)
def test_resumed_training_equals_an_uninterrupted_one(
    loss: DistillationLoss, source: str, tmp_path: Path
) -> None:
    """The networks are replaced at other ages than 0, and the file of the fractals is gone."""
    options = TINY | {"loss": loss, "schedule": "constant"}
    whole = fit(Distillation(source, **options), 7)
    torch.manual_seed(0)
    first = fit(Distillation(source, **options), 4)
    first.trainer.save_checkpoint(tmp_path / "some.ckpt")
    Path(source).unlink()
    torch.manual_seed(8)
    again = Distillation.load_from_checkpoint(tmp_path / "some.ckpt", weights_only=True)
    trainer = quiet_trainer(7, val_check_interval=7, enable_checkpointing=False)
    trainer.fit(again, images(), ckpt_path=tmp_path / "some.ckpt", weights_only=True)
    assert whole.state_dict().keys() == again.state_dict().keys()
    for name, value in whole.state_dict().items():
        assert again.state_dict()[name].equal(value), name
    assert trainer.callback_metrics["val/error"] == whole.trainer.callback_metrics["val/error"]
    for one, other in zip(whole.trainer.optimizers, trainer.optimizers, strict=True):
        states = zip(one.state_dict()["state"].items(), other.state_dict()["state"].items(), strict=True)
        for (number, state), (resumed_number, resumed) in states:
            assert number == resumed_number
            assert all(state[name].equal(resumed[name]) for name in state)


def test_task_of_a_file_takes_what_a_checkpoint_has(source: str, tmp_path: Path) -> None:
    task = fit(Distillation(source, **TINY, jitter=0.2), 2)
    task.trainer.save_checkpoint(tmp_path / "some.ckpt")
    other = Distillation(str(labeled_fractals(tmp_path / "other.json", per_class=3)), **TINY)
    trainer = quiet_trainer(1)
    (found,) = trainer.validate(other, images(), tmp_path / "some.ckpt", verbose=False, weights_only=True)
    assert found["val/error"] == pytest.approx(float(task.trainer.callback_metrics["val/error"]))
    assert other.learned_fractals().jitter == 0.2
    assert len(other.labels) == 20


def test_checkpoint_serves_wherever_labeled_fractals_are_taken(source: str, tmp_path: Path) -> None:
    task = fit(Distillation(source, **TINY | {"image_size": 32}), 2, images(size=32))
    path = tmp_path / "some.ckpt"
    task.trainer.save_checkpoint(path)
    found, learned = FractalGenerator.from_pretrained(path), task.learned_fractals()
    assert (found.image_size, found.num_points) == (32, 120)  # of a file for 16 pixels, with 30 points
    for one, other in zip(found.parameters(), learned.parameters(), strict=True):
        assert one.equal(other)
    assert found.embedding.labels is not None
    assert found.embedding.labels.equal(task.labels)
    assert found.provenance["data"]["name"] == "digits"
    data = LabeledFractalData(str(path), size=16)
    trainer = quiet_trainer(1, val_check_interval=1, enable_checkpointing=False)
    trainer.fit(Classifier(image_size=16, width=4), data)
    fit(Distillation(str(path), **TINY), 1)
    predicted = quiet_trainer(1).predict(Distillation(str(path), **TINY), task.predict_dataloader())
    assert predicted is not None
    assert len(predicted) == 600
    fractals, drawn = predicted[0]
    assert (fractals.tolist(), drawn.shape) == ([*range(20)], (20, 1, 16, 16))  # type: ignore[union-attr]


@pytest.mark.parametrize("stage", ["val", "test"])
@torch.no_grad()
def test_accuracy_is_that_of_ridge_regressions_on_an_image_of_each_fractal(stage: str, source: str) -> None:
    task, data = Distillation(source, **TINY | {"networks": 6, "ridge": 0.1}), images()
    trainer = quiet_trainer(1)
    evaluate = trainer.validate if stage == "val" else trainer.test
    (found,) = evaluate(task, data, verbose=False)
    assert found.keys() == {f"{stage}/accuracy"} | ({"val/error"} if stage == "val" else set())
    if stage == "val":
        assert found["val/error"] == pytest.approx(1 - found["val/accuracy"], abs=1e-6)
    random = generator_for(0, Purpose.DISTILLATION_EVALUATION)
    drawn = task.learned_fractals().draw(torch.arange(20), random)
    real = data.validation_images if stage == "val" else data.test_images
    assert real is not None
    batch, classes = real[:]
    predicted = np.zeros((len(batch), 10))
    for network in (task.networks[number] for number in range(4)):
        x, y = network.embed(drawn).numpy(), F.one_hot(task.labels).numpy() - 0.1
        ridge = Ridge(alpha=0.1 * (x**2).sum() / len(x), fit_intercept=False).fit(x, y)
        predicted += ridge.predict(network.embed(batch).numpy())
    accuracy = float((predicted.argmax(1) == classes.numpy()).mean())
    assert found[f"{stage}/accuracy"] == pytest.approx(accuracy, abs=1.1 / len(batch))  # one on the border


def test_gallery_of_many_fractals_is_spread_evenly(tmp_path: Path) -> None:
    path = labeled_fractals(tmp_path / "many.safetensors", per_class=30)
    task = fit(Distillation(str(path), **TINY, jitter=0.5), 1)
    shown = task.gallery()
    assert shown.shape == (100, 1, 16, 16)
    assert shown.equal(task.gallery())


def test_fractals_in_color_learn_from_images_in_color(tmp_path: Path) -> None:
    path = labeled_fractals(tmp_path / "labeled.json", features=3)
    task = Distillation(str(path), **TINY)
    fit(task, 3, images(channels=3))
    start = FractalGenerator.from_pretrained(path)
    for found, before in zip(task.learned_fractals().parameters(), start.parameters(), strict=True):
        assert not found.equal(before)
    (_, features) = task.trainer.optimizers[0].param_groups
    assert features["lr_scale"] == 0.25
    assert task.gallery().shape == (20, 3, 16, 16)


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_calculated_in_full_precision(
    precision: str, loss: DistillationLoss, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[torch.dtype, torch.dtype]] = []
    calculate = Distillation._loss

    def watched(self: Distillation, features: Tensor, *rest: Tensor) -> Tensor:
        found = calculate(self, features, *rest)
        seen.append((features.dtype, found.dtype))
        return found

    monkeypatch.setattr(Distillation, "_loss", watched)
    fit(Distillation(source, loss, **TINY), 2, precision=precision)
    double = precision == "64-true"
    expected = (torch.float64, torch.float64) if double else (torch.bfloat16, torch.float32)
    assert seen == 2 * [expected]


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_that_is_not_finite_ends_the_run(
    loss: DistillationLoss, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poison(self: Distillation) -> None:
        for parameter in self.networks.parameters():
            parameter.detach().fill_(torch.nan)

    monkeypatch.setattr(Distillation, "on_train_start", poison)
    with pytest.raises(FloatingPointError, match="the loss is not finite at step 1"):
        fit(Distillation(source, loss, **TINY), 3)


def test_half_precision_with_scaled_gradients_is_refused(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = quiet_trainer(1, enable_checkpointing=False)
    monkeypatch.setattr(type(trainer), "precision", "16-mixed")
    with pytest.raises(InputError, match=r"more than half precision: set Trainer\(precision="):
        trainer.fit(Distillation(source, **TINY), images())


def test_gradients_have_the_memory_layout_of_their_parameters() -> None:
    """Otherwise fused Adam mixes up their numbers."""
    parameter = torch.nn.Parameter(torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last))
    gradient = torch.randn(2, 2, 3, 4).permute(3, 2, 1, 0)
    set_gradients([parameter], [gradient])
    assert parameter.grad is not None
    assert parameter.grad.stride() == parameter.stride()
    assert parameter.grad.equal(gradient)


def test_gradient_of_a_fractal_is_clipped(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[Tensor] = []

    def watched(self: Distillation, optimizer: torch.optim.Optimizer) -> None:
        of_fractals = [*self.learned_fractals().parameters()]
        if optimizer.param_groups[0]["params"][0] is of_fractals[0]:
            gradients = [each.grad.flatten(1) for each in of_fractals if each.grad is not None]
            norms.append(torch.cat(gradients, 1).norm(dim=1))

    monkeypatch.setattr(Distillation, "on_before_optimizer_step", watched)
    fit(Distillation(source, **TINY, clip=1e-3), 2)
    fit(Distillation(source, **TINY, clip=None), 2)
    assert len(norms) == 4
    assert all(float(norm.max()) == pytest.approx(1e-3, rel=1e-4) for norm in norms[:2])
    assert all(float(norm.max()) > 1e-3 for norm in norms[2:])


def test_learning_rate_follows_the_schedule(source: str) -> None:
    task = fit(Distillation(source, **TINY, lr=0.1), 4)
    (group,) = task.trainer.optimizers[0].param_groups
    assert group["lr"] == pytest.approx(0.1 * (1 + 2**-0.5 * -1) / 2)  # of the last step, at 3 of 4
    with pytest.raises(InputError, match="schedule cosine needs to know the last step"):
        quiet_trainer(-1, max_epochs=1).fit(Distillation(source, **TINY), images())


def test_class_that_is_missing_from_a_batch_is_left_out(source: str) -> None:
    fit(Distillation(source, "distribution", **TINY), 3, images(batch_size=1))


def test_plain_loaders_serve_as_well(source: str) -> None:
    data = images()
    data.setup()
    assert data.train_images is not None
    train = DataLoader(EndlessBatches(data.train_images, 8), batch_size=None)
    trainer = quiet_trainer(2, val_check_interval=2, enable_checkpointing=False)
    trainer.fit(Distillation(source, **TINY), train, data.val_dataloader())
    assert trainer.global_step == 2


def test_other_data_is_refused(source: str, tmp_path: Path) -> None:
    for number in range(8):
        save(tmp_path / f"flat/{number}.png", shape(200 + number, 0))
    needs = "needs labeled images: use datamodule=ImageData"
    folder = images(name="folder", root=str(tmp_path / "flat"))
    for data, message in [
        (FractalData(num_fractals=2, images_per_class=1, size=16), needs),
        (TargetData(count=2, size=16), needs),
        (folder, "the images in folder have no labels: put those of each class into a sub-folder"),
        (images(channels=3), "digits are in color, but the fractals of .* draw images in grayscale"),
    ]:
        with pytest.raises(InputError, match=message):
            fit(Distillation(source, **TINY), 1, data)


def test_too_few_images_for_the_loss_are_refused(source: str) -> None:
    message = "num_images must be >= 20, two for each of 10 classes, got 19"
    with pytest.raises(InputError, match=message):
        fit(Distillation(source, **TINY | {"num_images": 19}), 1)
    fit(Distillation(source, "ridge", **TINY | {"num_images": 5}), 1)


def test_one_fractal_of_each_class_is_enough(tmp_path: Path) -> None:
    path = str(labeled_fractals(tmp_path / "one.safetensors", per_class=1))
    with pytest.raises(InputError, match="num_images must be >= 10, one for each of 10 classes, got 9"):
        fit(Distillation(path, **TINY | {"num_images": 9}), 1)
    fit(Distillation(path, **TINY | {"num_images": 10}), 1)


def test_fractals_without_labels_are_refused(source: str, tmp_path: Path) -> None:
    content = read_fractals(source)
    parameters = {name: each for name, each in content.parameters.items() if name != "labels"}
    write_fractals(
        tmp_path / "plain.safetensors",
        content._replace(parameters=parameters, settings=content.settings | {"classes": []}),
    )
    for fractals, message in [
        (str(tmp_path / "plain.safetensors"), "plain.safetensors have no labels: learn some with"),
        ("digits", "the fractals of digits have no labels"),
        ("none", "there are no fractals 'none'"),
        (None, "set fractals to labeled fractals"),
    ]:
        with pytest.raises(InputError, match=message):
            fit(Distillation(fractals, **TINY), 1)
        with pytest.raises(InputError, match=message):
            quiet_trainer(1).validate(Distillation(fractals, **TINY), images())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "mse"}, "loss must be one of ridge, distribution, got 'mse'"),
        ({"schedule": "linear"}, "schedule must be one of constant, halving, cosine"),
        ({"num_images": 0}, "num_images must be >= 1, got 0"),
        ({"networks": 0}, "networks must be >= 1"),
        ({"image_size": 0}, "image_size must be >= 1"),
        ({"max_age": 0}, "max_age must be >= 1"),
        ({"network_lr": 0.0}, "network_lr must be > 0"),
        ({"ridge": 0.0}, "ridge must be > 0"),
        ({"lr": 0.0}, "lr must be > 0"),
        ({"clip": 0.0}, "clip must be > 0"),
        ({"jitter": -0.1}, "jitter must be >= 0"),
        ({"shear": 90.0}, "shear must be < 90"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Distillation(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "resnet"}, "network must be one of lenet, convnet, got 'resnet'"),
        ({"network": "lenet"}, "width must be null for a lenet"),
        ({"width": 0}, "width must be >= 1"),
        ({"image_size": 7}, "image_size must be >= 8 for a ConvNet, got 7"),
    ],
)
def test_network_that_cannot_be_made_is_refused(options: dict, message: str, source: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(Distillation(source, **TINY | options), 1)


def test_lenets_serve_as_well(source: str) -> None:
    options = TINY | {"network": "lenet", "width": None}
    start = FractalGenerator.from_pretrained(source)
    task = fit(Distillation(source, **options), 3)
    assert not parameters(task)[0].equal(next(start.parameters()))
    assert F.one_hot(task.labels).sum(0).tolist() == 10 * [2]
