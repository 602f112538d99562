"""Tasks that start from the weights of a pre-trained backbone."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from pytorch_lightning import Trainer
from safetensors.torch import load_file, save_file
from torch import nn

from fractalgan import Classifier, FractalData, ImageData, LinearProbe, Pretraining
from fractalgan.callbacks import SaveBackbone
from fractalgan.errors import InputError
from fractalgan.experiments.quiet_trainer import quiet_trainer
from fractalgan.storage import RunFolder

VIT = "timm/vit_tiny_patch16_224"


def fractals(size: int, **options: Any) -> FractalData:
    given = {"num_fractals": 4, "num_transforms": 3, "images_per_class": 8, "batch_size": 8}
    return FractalData(size=size, **given | options)


def pretrained(folder: Path, size: int = 16, **options: Any) -> tuple[Pretraining, RunFolder]:
    """A task after two steps, and its run folder with last.ckpt and backbone.safetensors."""
    torch.manual_seed(0)
    run = RunFolder.create(folder)
    task = Pretraining(num_fractals=4, image_size=size, **options)
    trainer = quiet_trainer(2, val_check_interval=2, callbacks=[SaveBackbone(run)])
    trainer.fit(task, fractals(size))
    trainer.save_checkpoint(run.last)
    return task, run


def fit(task: Any, data: ImageData, steps: int = 1) -> Trainer:
    trainer = quiet_trainer(steps, val_check_interval=steps, enable_checkpointing=False)
    trainer.fit(task, data)
    return trainer


def same_state(one: nn.Module, other: nn.Module) -> bool:
    states = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(mine.equal(yours) for mine, yours in states)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pretraining, RunFolder]:
    return pretrained(tmp_path_factory.mktemp("runs") / "resnet", network="resnet18", small_stem=True)


def test_probe_has_the_network_and_features_of_its_backbone(
    resnet: tuple[Pretraining, RunFolder], tmp_path: Path
) -> None:
    task, run = resnet
    for source in (run.last, run.path, run.backbone):
        probe = LinearProbe(str(source), penalties=[1.0], image_size=16)
        assert (probe.hparams["network"], probe.hparams["small_stem"]) == ("resnet18", True)
        trainer = fit(probe, ImageData(size=16, binarize=None))
        assert same_state(probe.network.features, task.network.features)  # batch norm has learned nothing
        assert len(probe.mean) == 512
    trainer.save_checkpoint(tmp_path / "probe.ckpt")
    again = LinearProbe.load_from_checkpoint(
        tmp_path / "probe.ckpt", weights_only=True, backbone="a file that is gone"
    )
    images = torch.rand(2, 1, 16, 16)
    assert again(images).equal(probe(images))


def test_fine_tuning_starts_from_the_backbone(resnet: tuple[Pretraining, RunFolder]) -> None:
    task, run = resnet
    tuned = Classifier(backbone=str(run.last), image_size=16, lr=1e-12, optimizer="SGD")
    # training batches change the statistics of batch norm, but not the weights, at such a rate
    fit(tuned, ImageData(size=16, binarize=None, per_class=2, batch_size=8))
    pairs = zip(tuned.network.features.parameters(), task.network.features.parameters(), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6)
    assert tuned.network.head.out_features == 10


def test_fine_tuned_network_does_not_need_its_backbone_again(tmp_path: Path) -> None:
    _, run = pretrained(tmp_path / "run", network="lenet")
    options = {"backbone": str(run.last), "image_size": 16, "warmup": 0.5, "mixup": 0.2, "cutmix": 1.0}
    options |= {"layer_decay": 0.5, "head_lr": 0.01, "optimizer": "AdamW"}
    data = {"size": 16, "binarize": None, "batch_size": 8}
    whole = Classifier(**options)
    torch.manual_seed(0)
    fit(whole, ImageData(**data), 4)

    torch.manual_seed(0)
    half = quiet_trainer(4, val_check_interval=2, limit_val_batches=1, callbacks=[StopAfterTwo()])
    task = Classifier(**options)
    half.fit(task, ImageData(**data))
    half.save_checkpoint(tmp_path / "half.ckpt")
    run.last.unlink()
    resumed = Classifier.load_from_checkpoint(tmp_path / "half.ckpt", weights_only=True)
    trainer = quiet_trainer(4, val_check_interval=4, enable_checkpointing=False)
    trainer.fit(resumed, ImageData(**data), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert same_state(whole, resumed)


class StopAfterTwo(SaveBackbone):
    """Ends a training of four steps after two."""

    def __init__(self) -> None: ...

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None: ...

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        trainer.should_stop = trainer.global_step == 2


def test_vit_resumes_to_the_bit_and_its_weights_are_those_of_timm(tmp_path: Path) -> None:
    options = {"num_fractals": 4, "image_size": 64, "network": VIT, "schedule": "cosine"}

    def seeded() -> Pretraining:
        torch.manual_seed(0)
        return Pretraining(**options)

    whole = seeded()
    run = RunFolder.create(tmp_path / "run")
    quiet_trainer(4, val_check_interval=4, callbacks=[SaveBackbone(run)]).fit(whole, fractals(64))
    half = quiet_trainer(4, limit_val_batches=0, callbacks=[StopAfterTwo()])
    half.fit(seeded(), fractals(64))
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed = Pretraining.load_from_checkpoint(tmp_path / "half.ckpt", weights_only=True)
    trainer = quiet_trainer(4, limit_val_batches=0, enable_checkpointing=False)
    trainer.fit(resumed, fractals(64), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert same_state(whole, resumed)

    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64).eval()
    theirs.load_state_dict(load_file(run.backbone))
    images = torch.rand(2, 1, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        ours = whole.network.eval().double().embed(images)
        torch.testing.assert_close(theirs.double()(images.repeat(1, 3, 1, 1)), ours, rtol=1e-12, atol=1e-12)


def test_vit_is_fine_tuned_on_images_of_another_size(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    run = RunFolder.create(tmp_path / "run")
    task = Pretraining(num_fractals=4, image_size=64, network=VIT)
    quiet_trainer(1, val_check_interval=1, callbacks=[SaveBackbone(run)]).fit(task, fractals(64))
    tuned = Classifier(backbone=str(run.backbone), image_size=32, lr=1e-12, optimizer="SGD")
    with caplog.at_level("INFO", "fractalgan"):
        fit(tuned, ImageData(size=32, binarize=None, per_class=2, batch_size=8))
    assert "backbone.safetensors were interpolated to the size of the images" in caplog.text
    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64)
    theirs.load_state_dict(load_file(run.backbone))
    theirs.set_input_size(img_size=32)
    for mine, expected in zip(tuned.network.features.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, expected)


def test_networks_with_dropout_resume_to_the_bit(tmp_path: Path) -> None:
    options = {"num_fractals": 4, "image_size": 32, "network": "mobilenet_v3_small"}

    def seeded() -> Pretraining:
        torch.manual_seed(0)
        return Pretraining(**options)

    whole = seeded()
    quiet_trainer(4, limit_val_batches=0).fit(whole, fractals(32))
    half = quiet_trainer(4, limit_val_batches=0, callbacks=[StopAfterTwo()])
    half.fit(seeded(), fractals(32))
    half.save_checkpoint(tmp_path / "half.ckpt")
    torch.manual_seed(0)  # as seed_everything does
    torch.rand(100)
    resumed = Pretraining.load_from_checkpoint(tmp_path / "half.ckpt", weights_only=True)
    quiet_trainer(4, limit_val_batches=0).fit(
        resumed, fractals(32), ckpt_path=tmp_path / "half.ckpt", weights_only=True
    )
    assert same_state(whole, resumed)


def test_equal_networks_are_accepted_by_any_name_of_their_width(tmp_path: Path) -> None:
    _, run = pretrained(tmp_path / "run", network="convnet")
    fit(Classifier(backbone=str(run.last), width=32, image_size=16), ImageData(size=16, binarize=None))


def test_weights_of_timm_are_a_backbone(tmp_path: Path) -> None:
    model = timm.create_model("resnet10t")  # with a head
    save_file(model.state_dict(), tmp_path / "model.safetensors", {"format": "pt"})
    path = str(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="does not say what network it is of: set network"):
        LinearProbe(path)
    probe = LinearProbe(path, network="timm/resnet10t", penalties=[1.0], image_size=32)
    fit(probe, ImageData(size=32, binarize=None))
    assert probe.network.features.state_dict()["conv1.0.weight"].equal(model.state_dict()["conv1.0.weight"])


def test_weights_of_auxiliary_heads_are_left_out(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of googlenet about its own initialization
        torch.save(torchvision.models.googlenet(init_weights=False).state_dict(), tmp_path / "googlenet.pth")
    path = str(tmp_path / "googlenet.pth")
    fit(Classifier("googlenet", image_size=32, backbone=path), ImageData(size=32, batch_size=4))
    whole = torchvision.models.resnet34().state_dict()
    torch.save(whole, tmp_path / "resnet34.pth")
    with pytest.raises(InputError, match="the weights of another network than resnet18"):
        fit(Classifier("resnet18", backbone=str(tmp_path / "resnet34.pth")), ImageData(size=32))


def test_batch_norm_of_a_single_image_is_named() -> None:
    with pytest.raises(InputError, match="batch_size must be >= 2 for resnet18, whose batch norm needs it"):
        fit(Classifier("resnet18", image_size=32), ImageData(size=32, batch_size=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "lenet"}, "has the weights of resnet18 with a small stem, not of lenet: set network to"),
        ({"network": "resnet18"}, "not of resnet18: set small_stem to true"),
    ],
)
def test_other_networks_are_named(resnet: tuple[Pretraining, RunFolder], options: dict, message: str) -> None:
    task = Classifier(backbone=str(resnet[1].last), image_size=16, **options)
    with pytest.raises(InputError, match=message):
        fit(task, ImageData(size=16, binarize=None))


def test_weights_of_other_networks_are_named(resnet: tuple[Pretraining, RunFolder], tmp_path: Path) -> None:
    path = str(tmp_path / "weights.safetensors")
    save_file(load_file(resnet[1].backbone), path)
    data = ImageData(size=16, binarize=None)
    with pytest.raises(
        InputError, match=r"has the weights of another network than resnet34 \(there is no layer"
    ):
        fit(Classifier("resnet34", image_size=16, backbone=path), data)
    with pytest.raises(
        InputError, match=r"has a conv1.weight of shape \[64, 3, 3, 3\], but the network need"
    ):
        fit(Classifier("resnet18", image_size=16, backbone=path), data)
    fit(Classifier("resnet18", image_size=16, backbone=path, small_stem=True), data)


def test_backbones_for_other_images_are_named(tmp_path: Path) -> None:
    _, run = pretrained(tmp_path / "run", network="lenet")
    message = r"last\.ckpt was trained on images of 16 pixels: set size=16"
    with pytest.raises(InputError, match=message):
        fit(Classifier(backbone=str(run.last), image_size=32), ImageData(size=32, binarize=None))
    trainer = fit(LinearProbe("pixels", penalties=[1.0], image_size=16), ImageData(size=16))
    trainer.save_checkpoint(tmp_path / "probe.ckpt")
    with pytest.raises(InputError, match="is a checkpoint of LinearProbe, not of Pretraining"):
        LinearProbe(str(tmp_path / "probe.ckpt"))
