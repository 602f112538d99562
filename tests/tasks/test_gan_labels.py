"""FractalGAN with labels: who has which class, what the discriminator sees, and what is saved."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from fractalgan.data import ImageData
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import AuxiliaryDiscriminator, FractalGenerator, LeNet, ProjectionDiscriminator
from fractalgan.nn.prototypes import choose_prototypes
from fractalgan.tasks import FractalGAN
from fractalgan.tasks.gan_labels import choose_for_classes, require_every_class, shared_out

WAYS = ["projection", "auxiliary"]
LABELS = [0] * 2 + [1] + [2] * 2 + [3] + [4] * 2 + [5] + [6] * 2 + [7] + [8] * 2 + [9]  # of 15 fractals


def tiny(conditional: str | None, **options: Any) -> FractalGAN:
    few = {"num_fractals": 15, "num_transforms": 3, "num_points": 20, "image_size": 16, "r1_interval": 2}
    return FractalGAN(**few | {"conditional": conditional} | options)


def digits() -> ImageData:
    return ImageData(size=16, batch_size=8)


def train(model: FractalGAN, steps: int, data: object = None, **options: Any) -> Trainer:
    given = {"val_check_interval": steps, "enable_checkpointing": False, "log_every_n_steps": 1}
    trainer = quiet_trainer(steps, **given | {k: v for k, v in options.items() if k != "ckpt_path"})
    resumed = {"weights_only": True, "ckpt_path": options["ckpt_path"]} if "ckpt_path" in options else {}
    trainer.fit(model, data or digits(), **resumed)  # type: ignore[arg-type]
    return trainer


class FewClasses(LightningDataModule):
    """The part of a data module that labels are shared out by."""

    source, train_images, validation_images = "shapes", None, None

    def __init__(self, *classes: str) -> None:
        super().__init__()
        self.classes = classes


@pytest.mark.parametrize(("count", "classes"), [(100, 10), (15, 10), (7, 3), (3, 3)])
def test_fractals_are_shared_out_evenly_class_by_class(count: int, classes: int) -> None:
    names = [f"class {k}" for k in range(classes)]
    labels, kept = shared_out(count, FewClasses(*names), "projection")
    assert kept == tuple(names)
    assert labels.equal(labels.sort().values)
    counts = labels.bincount(minlength=classes)
    assert count // classes <= counts.min() <= counts.max() <= -(-count // classes)


def test_each_row_of_a_hundred_is_a_class() -> None:
    labels, _ = shared_out(100, FewClasses(*"0123456789"), "projection")
    assert labels.view(10, 10).equal(torch.arange(10)[:, None].expand(10, 10))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
def test_both_ways_learn_with_labels(way: str, precision) -> None:
    model = tiny(way)
    trainer = train(model, 3, precision=precision)
    kind = {"projection": ProjectionDiscriminator, "auxiliary": AuxiliaryDiscriminator}[way]
    assert isinstance(model.discriminator, kind)
    assert model.generator.embedding.labels is not None
    assert model.generator.embedding.labels.tolist() == LABELS
    assert model.generator.embedding.classes == tuple("0123456789")
    assert 0 <= trainer.callback_metrics["val/class_agreement"] <= 1
    assert ("train/class_loss" in trainer.callback_metrics) == (way == "auxiliary")


def test_without_labels_nothing_is_added() -> None:
    model = tiny(None)
    trainer = train(model, 2)
    state = model.discriminator.state_dict()
    assert state.keys() == LeNet(1, 16).state_dict().keys()
    assert "generator.embedding.labels" not in model.state_dict()
    assert not {"val/class_agreement", "train/class_loss"} & trainer.callback_metrics.keys()
    assert "classify" not in model.next_steps()


@pytest.mark.parametrize("way", [None, *WAYS])
def test_every_parameter_moves_in_every_step(way: str | None) -> None:
    model = tiny(way)

    class Compare(Callback):
        def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
            self.before = {name: each.detach().clone() for name, each in model.named_parameters()}

        def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
            still = [name for name, each in model.named_parameters() if self.before[name].equal(each)]
            assert not still

    train(model, 3, callbacks=[Compare()])


@pytest.mark.parametrize("way", WAYS)
def test_discriminator_sees_the_labels_of_both_sides(way: str) -> None:
    """Those of the batch for real images, and those of their fractals for drawn ones."""
    model, seen, drawn, real = tiny(way, instance_noise=0.0), [], [], []

    class Spy(Callback):
        def on_train_batch_start(self, trainer: Trainer, _: Any, batch: tuple[Tensor, Tensor], *__: Any):
            real.append(batch[1])
            judge, equally = model.discriminator.judge, model._every_fractal_equally
            if len(real) == 1:
                model.discriminator.judge = lambda *given: (seen.append(given[1]), judge(*given))[1]
                model._every_fractal_equally = lambda *given: (drawn.append(equally(*given)), drawn[-1])[1]

    train(model, 2, callbacks=[Spy()], limit_val_batches=0)
    labels = torch.tensor(LABELS)
    first, second = (labels[each] for each in drawn)
    # with R1 real and drawn images are judged apart, else together; then the drawn ones for the fractals
    expected = [real[0], first, first, torch.cat([real[1], second]), second]
    assert [each.tolist() for each in seen] == [each.tolist() for each in expected]


@pytest.mark.parametrize("start", ["anderson-farrell", "collage"])
def test_prototypes_are_of_the_class_of_their_fractal(start: str) -> None:
    model, data = tiny("projection", start=start), digits()
    train(model, 1, data)
    assert model.prototypes is not None
    assert data.train_images is not None
    real, labels = data.train_images[:]
    for prototype, label in zip(model.prototypes, LABELS, strict=True):
        same = (real == prototype / 255).flatten(1).all(1)
        assert label in labels[same]


def test_prototypes_of_a_class_are_chosen_within_it() -> None:
    images = torch.rand(60, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(60) % 3
    model = tiny("projection", num_fractals=6)
    model.generator.embedding.label_(shared_out(6, FewClasses("a", "b", "c"), "projection"))
    chosen = choose_for_classes(images, labels, model.generator.embedding, seed=5)
    expected = [choose_prototypes(images[labels == label], 2, seed=5) for label in range(3)]
    assert chosen.equal(torch.cat(expected))


def test_class_without_a_training_image_is_named() -> None:
    with pytest.raises(InputError, match="the class owl has none of the first 3 training images"):
        require_every_class(torch.tensor([0, 0, 2]), ("cat", "owl", "rat"))


@pytest.mark.parametrize("way", WAYS)
def test_resumed_run_ends_as_an_uninterrupted_one(way: str, tmp_path: Path) -> None:
    steady = {"generator_schedule": "constant", "instance_noise": 0.0}  # whatever the last step is
    whole, half, resumed = (tiny(way, **steady) for _ in range(3))
    train(whole, 4, val_check_interval=2)
    train(half, 2).save_checkpoint(tmp_path / "half.ckpt")
    train(resumed, 4, ckpt_path=tmp_path / "half.ckpt")
    state = resumed.state_dict()
    assert state["generator.embedding.labels"].tolist() == LABELS
    assert resumed.generator.embedding.classes == tuple("0123456789")
    assert all(state[name].equal(value) for name, value in whole.state_dict().items())


@pytest.mark.parametrize("way", WAYS)
def test_what_is_learned_carries_labels(way: str, tmp_path: Path) -> None:
    model = tiny(way)
    train(model, 1).save_checkpoint(tmp_path / "one.ckpt")
    read = FractalGenerator.from_pretrained(tmp_path / "one.ckpt")
    read.save(tmp_path / "fractals.json")
    again = FractalGAN.load_from_checkpoint(tmp_path / "one.ckpt", weights_only=True)
    for each in (read, FractalGenerator.from_pretrained(tmp_path / "fractals.json"), again.generator):
        assert each.embedding.labels is not None
        assert each.embedding.labels.tolist() == LABELS
        assert each.embedding.classes == tuple("0123456789")
    images, labels = torch.rand(4, 1, 16, 16), torch.arange(4)
    verdicts = [each.discriminator.judge(images, labels) for each in (model, again)]
    assert verdicts[0].logits.equal(verdicts[1].logits)
    assert verdicts[0].class_loss.equal(verdicts[1].class_loss)
    (metrics,) = quiet_trainer(1).validate(again, digits(), verbose=False)
    assert "val/class_agreement" in metrics
    batches = quiet_trainer(1, limit_predict_batches=1).predict(again)
    assert batches is not None
    assert len(batches) == 1


@pytest.mark.parametrize("way", WAYS)
def test_fractals_learn_to_please_a_fixed_discriminator(way: str) -> None:
    """For their class: the gradient points the right way."""
    model = tiny(way, num_points=100, prototypes=0, instance_noise=0.0)
    losses: list[float] = []
    backward = model._backward
    model._train_discriminator = lambda *_: None  # type: ignore[method-assign]
    model._backward = lambda *given: (losses.append(given[1].item()), backward(*given))[1]  # type: ignore
    train(model, 40, limit_val_batches=0)
    assert sum(losses[-5:]) < sum(losses[:5])


def test_fractals_come_to_look_like_their_class() -> None:
    model = FractalGAN(num_fractals=20, image_size=16, conditional="projection")
    trainer = train(model, 100, ImageData(size=16, batch_size=40))
    assert trainer.callback_metrics["val/class_agreement"] > 0.9


# -- what is refused ------------------------------------------------------------------------------------


def test_data_without_labels_gets_one_line(image_folder: Path) -> None:
    loose = image_folder.parent / "flat"
    loose.mkdir()
    for number, path in enumerate(sorted(image_folder.rglob("*.png"))):
        path.rename(loose / f"{number}.png")
    data = ImageData("folder", root=str(loose), size=16, batch_size=8)
    with pytest.raises(
        InputError,
        match=r"^conditional projection needs labels of two or more classes, but folder has 0: put the images"
        " of each class into a sub-folder of root, or set conditional=None$",
    ):
        train(tiny("projection"), 1, data)


def test_plain_loaders_are_refused() -> None:
    loader = DataLoader(TensorDataset(torch.rand(8, 1, 16, 16), torch.zeros(8).long()), batch_size=8)
    with pytest.raises(InputError, match=r"^conditional auxiliary needs labeled images: use datamodule=Im"):
        quiet_trainer(1, enable_checkpointing=False).fit(tiny("auxiliary"), loader, loader)


def test_fewer_fractals_than_classes_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"^num_fractals must be >= 10, the number of classes of digits, got 9$"
    ):
        train(tiny("projection", num_fractals=9), 1)


def test_unknown_way_is_refused() -> None:
    with pytest.raises(InputError, match="conditional must be one of projection, auxiliary, got 'both'"):
        tiny("both")


@pytest.mark.parametrize(("saved", "given"), [(None, "projection"), ("auxiliary", None)])
def test_fractals_of_a_checkpoint_get_no_labels_and_lose_none(
    saved: str | None, given: str | None, tmp_path: Path
) -> None:
    train(tiny(saved), 1).save_checkpoint(tmp_path / "one.ckpt")
    what = "labels" if saved else "no labels"
    with pytest.raises(InputError, match=f"of the checkpoint have {what}: leave conditional as it was"):
        FractalGAN.load_from_checkpoint(tmp_path / "one.ckpt", weights_only=True, conditional=given)


def test_other_classes_than_those_learned_are_refused(image_folder: Path, tmp_path: Path) -> None:
    train(tiny("projection"), 1).save_checkpoint(tmp_path / "one.ckpt")
    model = FractalGAN.load_from_checkpoint(tmp_path / "one.ckpt", weights_only=True)
    shapes = ImageData("folder", root=str(image_folder), size=16, batch_size=8)
    message = r"learned for the classes 0, 1, 2, \.\.\. \(10\), but folder has bars, squares: use the data"
    with pytest.raises(InputError, match=message):
        quiet_trainer(1).validate(model, shapes, verbose=False)
    with pytest.raises(InputError, match=message):
        train(tiny("projection"), 2, shapes, ckpt_path=tmp_path / "one.ckpt")
