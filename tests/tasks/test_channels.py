"""Tasks on images in color, from fractals to a linear probe, and what does not go together."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from fractalgan.data import FractalData, ImageData, TargetData
from fractalgan.data.image_set import ImageSet
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.nn import FractalGenerator
from fractalgan.tasks import FractalAutoencoder, FractalGAN, LinearProbe, Pretraining, Reconstruction, Task

GAN = {"num_fractals": 6, "num_transforms": 4, "num_points": 150, "image_size": 16}
KINDS = [(1, 0), (1, 1), (3, 3)]  # channels and features


class Squares(ImageData):
    """Squares on white, red ones and blue ones; or, in grayscale, light on black."""

    def __init__(self, channels: int, size: int = 16) -> None:
        super().__init__("digits", size=size, channels=channels, batch_size=12, binarize=None)  # type: ignore[arg-type]

    def setup(self, stage: str | None = None) -> None:
        labels = torch.arange(60) % 2
        side, channels = self.size, self.reading.channels
        images = torch.full((60, channels, side, side), 255 if channels == 3 else 0, dtype=torch.uint8)  # type: ignore[arg-type]
        quarter, colors = side // 4, torch.tensor([[220, 20, 30], [30, 40, 210]], dtype=torch.uint8)
        inside = slice(quarter, -quarter)
        images[:, :, inside, inside] = (colors if channels == 3 else colors[:, :1] + 30)[labels][
            ..., None, None
        ]
        self.classes = ["red", "blue"]
        self.train_images = ImageSet(images, labels)
        self.validation_images = self.test_images = ImageSet(images[:12], labels[:12])


def fit(task: Task, data: Any, steps: int, **options: Any) -> Task:
    quiet_trainer(steps, val_check_interval=steps, enable_checkpointing=False, **options).fit(task, data)
    return task


def saved(task: Task, path: Path) -> Path:
    task.trainer.save_checkpoint(path)
    return path


def mean_color(images: Tensor) -> Tensor:
    """The color [n, C] in the middle of images [n, C, 16, 16]."""
    return images[:, :, 6:10, 6:10].mean((2, 3))


@pytest.mark.parametrize(("channels", "features"), KINDS)
def test_gan_learns_images_of_every_kind(channels: int, features: int) -> None:
    model = FractalGAN(**GAN, features=features)
    fit(model, Squares(channels), 60)
    assert model.hparams["features"] == features
    assert model.discriminator.features[0].in_channels == channels
    drawn = model.gallery()
    assert drawn.shape == (6, channels, 16, 16)
    assert model.prototypes is not None
    expected = mean_color(model.prototypes / 255)
    assert (mean_color(drawn) - expected).abs().mean() < 0.25
    if channels == 3:
        assert (mean_color(drawn)[:, 0] > mean_color(drawn)[:, 2]).equal(expected[:, 0] > expected[:, 2])
        assert drawn[:, :, 0, 0].min() > 0.9  # the background
    scores = {name.partition("/")[2]: float(value) for name, value in model.trainer.callback_metrics.items()}
    assert 0 <= scores["shape_distance"] < 0.6
    assert scores["nearest_real"] < 0.1
    assert scores["collapsed"] == 0 or not features  # black and white has no dim gray


def test_features_follow_the_images() -> None:
    colored, gray = FractalGAN(**GAN), FractalGAN(**GAN)
    fit(colored, Squares(3), 1)
    fit(gray, Squares(1), 1)
    assert (colored.hparams["features"], gray.hparams["features"]) == (3, 0)
    targets = TargetData("photographs", size=16)
    task = Reconstruction(image_size=16, num_points=40, num_sequences=2, noise=0.0)
    fit(task, targets, 1)
    assert task.hparams["features"] == 3
    assert task.gallery().shape == (2, 3, 16, 16)


@pytest.mark.parametrize(("channels", "features"), KINDS)
def test_checkpoint_draws_the_same_images_and_is_resumed(
    channels: int, features: int, tmp_path: Path
) -> None:
    model = FractalGAN(**GAN, features=features, generator_schedule="constant")
    fit(model, Squares(channels), 3)
    path = saved(model, tmp_path / "some.ckpt")
    read = FractalGenerator.from_pretrained(path)
    assert read.channels == channels
    images = [each.draw(range(6), torch.Generator().manual_seed(1)) for each in (read, model.generator)]
    assert images[0].equal(images[1])
    again = FractalGAN.load_from_checkpoint(path, weights_only=True)
    assert again.gallery().equal(model.gallery())
    trainer = quiet_trainer(5, enable_checkpointing=False)
    trainer.fit(again, Squares(channels), ckpt_path=path, weights_only=True)
    assert again.global_step == 5


@pytest.mark.parametrize(("channels", "features"), [(1, 3), (3, 1), (3, 0)])
def test_fractals_for_images_of_another_kind_are_an_error(channels: int, features: int) -> None:
    kinds = {1: "in grayscale", 3: "in color"}
    drawn = max(1, features)
    message = f"are {kinds[channels]}, but the fractals draw images {kinds[drawn]} .*: set channels={drawn}"
    with pytest.raises(InputError, match=message):
        fit(FractalGAN(**GAN, features=features), Squares(channels), 1)
    targets = TargetData("photographs", size=16, channels=channels)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        fit(Reconstruction(image_size=16, features=features, noise=0.0), targets, 1)


@pytest.mark.parametrize("kind", [FractalGAN, Reconstruction])
def test_other_features_are_an_error(kind: type[Task]) -> None:
    with pytest.raises(InputError, match="features must be 0, 1, 3 or null, got 2"):
        kind(features=2)
    with pytest.raises(InputError, match="features must be 0, 1, 3 or null, got 2"):
        FractalData(features=2)
    with pytest.raises(InputError, match="features has no effect with the fractals of digits"):
        FractalData("digits", features=3)


def test_blend_and_background_can_be_given_or_learned() -> None:
    given = FractalGAN(**GAN, features=3, blend=0.3, background=[1.0, 0.5, 0.0])
    fit(given, Squares(3), 2)
    _, blend, background = given.generator.embedding.features()
    assert blend.unique().tolist() == pytest.approx([0.3])
    assert background.equal(torch.tensor([1.0, 0.5, 0.0]).expand(6, 3))
    data = TargetData("photographs", size=16)
    learned = Reconstruction(image_size=16, num_sequences=2, blend="learned", noise=0.0)
    fit(learned, data, 4)
    names = {name for name, _ in learned.fractals.generator.embedding.features.named_parameters()}
    assert names == {"values", "blend", "background"}
    assert learned.fractals.winning_fractals().features.blend.max() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 3, "blend": 1.5}, r"blend must be learned or in \[0, 1\], got 1.5"),
        ({"features": 3, "blend": "foo"}, r"blend must be learned or in \[0, 1\], got 'foo'"),
        ({"features": 3, "background": [1.0]}, "background must have 3 numbers"),
        ({"features": 1, "background": [2.0]}, r"background must be numbers in \[0, 1\]"),
        ({"features": 0, "background": [1.0]}, "background has no effect with features 0"),
        ({"features": 0, "blend": "learned"}, "blend has no effect with features 0"),
    ],
)
def test_blend_and_background_that_do_not_fit_are_an_error(options: dict, message: str) -> None:
    for kind in (FractalGAN, Reconstruction):
        with pytest.raises(InputError, match=message):
            kind(**options)


def test_gray_levels_need_images_with_gray_levels() -> None:
    with pytest.raises(InputError, match="features 1 has no effect on black and white images: set binarize"):
        fit(FractalGAN(**GAN, features=1), ImageData(size=16, batch_size=12), 1)


def test_plain_loaders_in_color_need_the_option() -> None:
    images = torch.rand(24, 3, 16, 16)
    loader: DataLoader[Any] = DataLoader(TensorDataset(images, torch.zeros(24)), batch_size=12)
    with pytest.raises(InputError, match=r"the images of the batch are in color.* features=3"):
        quiet_trainer(1, enable_checkpointing=False).fit(FractalGAN(**GAN), loader, loader)
    model = FractalGAN(**GAN, features=3)
    quiet_trainer(1, enable_checkpointing=False).fit(model, loader, loader)
    assert model.gallery().shape == (6, 3, 16, 16)


def test_older_checkpoints_are_of_images_in_grayscale(tmp_path: Path) -> None:
    """Those of versions without the options features and channels."""
    made: list[tuple[Task, Any, Any]] = [
        (FractalGAN(**GAN), Squares(1), Squares(3)),
        (
            Reconstruction(image_size=16, num_points=20, num_sequences=2, noise=0.0),
            TargetData("photographs", size=16, channels=1),
            TargetData("photographs", size=16),
        ),
        (LinearProbe("pixels", image_size=16, penalties=[0.1]), Squares(1), Squares(3)),
    ]
    for task, gray, colored in made:
        path = saved(fit(task, gray, 1), tmp_path / f"{type(task).__name__}.ckpt")
        checkpoint = torch.load(path, weights_only=True)
        for name in ("features", "blend", "background", "channels"):
            checkpoint["hyper_parameters"].pop(name, None)
        torch.save(checkpoint, path)
        older = type(task).load_from_checkpoint(path, weights_only=True)
        quiet_trainer(2).validate(older, gray, verbose=False)
        older = type(task).load_from_checkpoint(path, weights_only=True)
        with pytest.raises(InputError, match=r"are in color, but the (fractals|network)"):
            quiet_trainer(2).validate(older, colored, verbose=False)


def test_colors_of_a_target_do_not_depend_on_the_other_targets() -> None:
    def learned(*rows: int) -> list[Tensor]:
        data = TargetData("photographs", size=16)
        data.setup()
        assert data.targets is not None
        data.targets, data.indices = data.targets[list(rows)], data.indices[list(rows)]
        options = {"candidates": 4, "num_sequences": 8, "halvings": [2], "noise": 0.0}
        task = Reconstruction(image_size=16, num_points=40, **options)
        fit(task, data, 4)
        return [each[-1] for each in task.fractals.winning_fractals().tensors]

    assert all(one.equal(other) for one, other in zip(learned(1), learned(0, 1), strict=True))


def test_grayscale_checkpoint_for_images_in_color_is_an_error(tmp_path: Path) -> None:
    path = saved(fit(FractalGAN(**GAN), Squares(1), 1), tmp_path / "gray.ckpt")
    model = FractalGAN.load_from_checkpoint(path, weights_only=True)
    with pytest.raises(InputError, match="in color, but the fractals draw images in grayscale"):
        quiet_trainer(2).validate(model, Squares(3), verbose=False)


@pytest.mark.parametrize("features", [1, 3])
def test_reconstruction_in_gray_levels_and_colors_is_nearer_than_in_black_and_white(features: int) -> None:
    """Two photographs, whose shades white on black cannot show."""
    channels: Any = max(1, features)
    options = {"image_size": 16, "num_sequences": 4, "noise": 0.0, "lr": 0.1, "schedule": "cosine"}
    data = TargetData("photographs", size=16, channels=channels)
    task = Reconstruction(**options, features=features, tau=2.0)
    fit(task, data, 60)
    assert task.results is not None
    assert data.targets is not None
    constant = (data.targets - data.targets.mean((2, 3), keepdim=True)).square().mean((1, 2, 3))
    assert (task.results.mse_mean < 0.75 * constant).all()
    assert task.fractals.learned().channels == channels
    named = [name for name in task.trainer.callback_metrics if name == "val/iou"]
    assert len(named) == (features == 1)
    gray = TargetData("photographs", size=16, channels=1)
    plain = Reconstruction(**options, features=0, tau=2.0)
    fit(plain, gray, 60)
    assert plain.results is not None
    if features == 1:
        assert (task.results.mse_mean < plain.results.mse_mean).all()


def test_an_encoder_of_shapes_in_grayscale_starts_a_reconstruction_in_color(tmp_path: Path) -> None:
    encoder = FractalAutoencoder(num_transforms=3, image_size=16, width=8)
    fit(encoder, ImageData(size=16, batch_size=8), 1)
    path = saved(encoder, tmp_path / "encoder.ckpt")
    task = Reconstruction(start=str(path), num_transforms=3, image_size=16, noise=0.0, num_sequences=2)
    fit(task, TargetData("photographs", size=16), 2)
    assert task.gallery().shape == (2, 3, 16, 16)
    with pytest.raises(InputError, match="FractalAutoencoder needs images in grayscale: set channels=1"):
        fit(FractalAutoencoder(num_transforms=3, image_size=16, width=8), Squares(3), 1)


def test_colors_are_pseudo_classes_for_a_probe_of_images_in_color(tmp_path: Path) -> None:
    drawn = FractalData(
        num_fractals=4, num_transforms=3, features=3, images_per_class=10, size=16, batch_size=8
    )
    task = Pretraining(num_fractals=4, image_size=16)
    fit(task, drawn, 4)
    assert task.hparams["channels"] == 3
    assert drawn.sample(2).shape == (2, 3, 16, 16)
    path = saved(task, tmp_path / "colors.ckpt")
    probe = LinearProbe(str(path), image_size=16, penalties=[0.1])
    fit(probe, Squares(3), 1)
    assert probe.network.features[0].weight.equal(task.network.features[0].weight)
    with pytest.raises(InputError, match="in grayscale, but the network was made for images in color"):
        fit(LinearProbe(str(path), image_size=16, penalties=[0.1]), Squares(1), 1)
    pixels = LinearProbe("pixels", image_size=16, penalties=[0.01])
    fit(pixels, Squares(3), 1)
    assert len(pixels.mean) == 3 * 16**2
    assert float(pixels.trainer.callback_metrics["val/error"]) == 0
    with pytest.raises(InputError, match="in grayscale, but the network was made for images in color"):
        fit(Pretraining(num_fractals=4, image_size=16, channels=3), FractalData(num_fractals=4, size=16), 1)


def test_random_fractals_have_random_colors_and_the_same_transforms() -> None:
    plain, colored = (
        FractalData(num_fractals=4, features=features, images_per_class=2) for features in (0, 3)
    )
    assert plain.generator.embedding().A.equal(colored.generator.embedding().A)
    values = colored.generator.embedding.features().values
    assert values.shape == (4, 10, 3)
    assert values.std() > 0.2
