"""What a new user tries first."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from fractalgan import FractalGAN, FractalGenerator
from fractalgan.storage import read_config, read_fractals
from tests.cli.errors import only_error
from tests.cli.folders import rows
from tests.conftest import TINY, TINY_PRETRAINING, TINY_RECONSTRUCTION

Call = Callable[..., int]
Trained = Callable[[str, str], Path]
SHORT = ["--trainer.accelerator=cpu", "--trainer.max_steps=2", "--trainer.val_check_interval=2"]
LAST = "checkpoints/last.ckpt"


def test_last_step_is_validated_drawn_and_saved(call: Call) -> None:
    """Also where max_steps is not a multiple of val_check_interval, and after resuming."""
    assert call("fit", *TINY, "--run=mine", "--trainer.max_steps=5") == 0
    validated = [row["step"] for row in rows(Path("mine")) if "val/frechet_pixels" in row]
    assert validated == [3, 5]
    assert Path("mine/figures/fractals_000005.png").is_file()
    assert torch.load(f"mine/{LAST}", weights_only=True)["global_step"] == 5
    assert json.loads(Path("mine/summary.json").read_text())["validated"] == 5
    assert call("fit", f"--ckpt_path=mine/{LAST}", "--trainer.max_steps=10") == 0
    assert [row["step"] for row in rows(Path("mine")) if "val/frechet_pixels" in row] == [3, 5, 6, 9, 10]


def test_points_and_tau_follow_the_size(call: Call) -> None:
    small = ["--model.num_fractals=4", "--data.batch_size=8"]
    drawn = {}
    for size in (32, 64):
        assert call("fit", *SHORT, *small, f"--data.size={size}", f"--run=size-{size}") == 0
        options = torch.load(f"size-{size}/{LAST}", weights_only=True)["hyper_parameters"]
        drawn[size] = options["num_points"], options["tau"]
        with Image.open(f"size-{size}/figures/fractals_000000.png") as picture:
            drawn[size] += ((np.asarray(picture.convert("L")) > 128).mean(),)
    assert (drawn[32][0], drawn[64][0]) == (300, 1200)
    assert drawn[32][1] == pytest.approx(drawn[64][1], rel=0.1)  # follows the bright area, as points do
    assert drawn[64][2] > 0.8 * drawn[32][2]  # a similar share of bright pixels
    given = ["--model.num_points=77", "--model.tau=0.5", "--data.size=64", "--run=given"]
    assert call("fit", *SHORT, *small, *given) == 0
    options = torch.load(f"given/{LAST}", weights_only=True)["hyper_parameters"]
    assert (options["num_points"], options["tau"]) == (77, 0.5)


def drawings(folder: Path, dark_on_bright: bool, count: int = 12) -> Path:
    """Images of a square in different places."""
    folder.mkdir()
    for number in range(count):
        pixels = np.zeros((20, 20), np.uint8)
        pixels[4 + number % 6 : 12 + number % 6, 5:15] = 255
        Image.fromarray(255 - pixels if dark_on_bright else pixels).save(folder / f"{number:02d}.png")
    return folder


def test_dark_drawings_are_inverted(
    call: Call, tmp_path: Path, logs: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, dark in {"dark": True, "bright": False}.items():
        drawings(tmp_path / name, dark)
        assert call("fit", *TINY, "--data.name=folder", f"--data.root={name}", f"--run=run-{name}") == 0
    pictures = [Path(f"run-{name}/figures/real.png").read_bytes() for name in ("dark", "bright")]
    assert pictures[0] == pictures[1]
    assert "--data.invert auto" in logs.text
    capsys.readouterr()
    wrong = ["--data.name=folder", "--data.root=dark", "--data.invert=false", "--run=wrong"]
    assert call("fit", *TINY, *wrong) == 0
    summary = json.loads(Path("wrong/summary.json").read_text())
    (warning,) = summary["warnings"]
    assert "--data.invert" in warning
    assert f"warning:    {warning}" in capsys.readouterr().out  # again at the end


def test_picture_of_real_images_is_filled_from_the_training_images(call: Call, tmp_path: Path) -> None:
    drawings(tmp_path / "few", dark_on_bright=False, count=12)
    assert call("fit", *TINY, "--data.name=folder", "--data.root=few", "--run=run") == 0
    with Image.open("run/figures/real.png") as picture:
        columns = [np.asarray(picture)[:, 2 + 34 * k : 34 + 34 * k] for k in range(10)]
    assert all(column.max() > 200 for column in columns)  # ten images, though two are for validation


def test_files_without_an_image_suffix_are_skipped_and_broken_images_named(
    call: Call, tmp_path: Path, logs: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawings(tmp_path / "mixed", dark_on_bright=False)
    (folder / "notes.txt").write_text("no image")
    options = ["--data.name=folder", "--data.root=mixed"]
    assert call("fit", *TINY, *options, "--run=one") == 0
    assert "notes.txt" in logs.text
    (folder / "broken.png").write_bytes(b"no image")
    capsys.readouterr()
    assert call("fit", *TINY, *options, "--run=two") == 2
    error = only_error(capsys)
    assert "mixed/broken.png is not an image file: remove it or set --data.ignore_invalid true" in error
    assert not Path("two").exists()
    assert call("fit", *TINY, *options, "--data.ignore_invalid=true", "--run=two") == 0


NO_EFFECT = {
    "optimizer": (["--optimizer=Adam"], "--optimizer"),
    "scheduler": (["--lr_scheduler=StepLR"], "--lr_scheduler"),
    "epochs": (["--trainer.max_epochs=3"], "--trainer.max_epochs has no effect: training counts steps"),
    "batches": (["--trainer.limit_train_batches=3"], "--trainer.limit_train_batches has no effect"),
    "one batch": (["--trainer.limit_train_batches=1"], "--trainer.limit_train_batches has no effect"),
    "root": (["--data.root=mine"], "--data.root has no effect with --data.name digits"),
    "images": (["--images=5"], "--images"),
}


@pytest.mark.parametrize("case", NO_EFFECT)
def test_options_without_effect_are_errors(case: str, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    options, message = NO_EFFECT[case]
    assert call("fit", *TINY, *options) in (1, 2)
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("fractalgan: error: ")
    assert message in error
    assert not Path("runs").exists()


def test_reconstruction_serves_wherever_fractals_are_taken(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--config", "reconstruction_32px.yaml"]
    assert call("fit", *config, *TINY_RECONSTRUCTION, "--run=rebuilt") == 0
    assert "predict --ckpt_path rebuilt/checkpoints/best.ckpt" in capsys.readouterr().out
    sources = [
        "rebuilt",
        "rebuilt/checkpoints/best.ckpt",
        "rebuilt/fractals.json",
        "rebuilt/fractals.safetensors",
    ]
    pretraining = ["fit", "--config", "pretraining.yaml", *TINY_PRETRAINING, "--model.num_fractals=5"]
    for number, source in enumerate(sources):
        assert call(*pretraining, f"--model.fractals={source}", f"--run=pretrained-{number}") == 0
    assert call("predict", "--ckpt_path=rebuilt/checkpoints/best.ckpt", "--images=2") == 0
    images = list(Path("rebuilt/predictions").glob("*/*.png"))
    assert len(images) == 5 * 2
    with Image.open(images[0]) as image:
        assert np.asarray(image).max() > 100


def test_predict_says_how_many_files_before_it_writes_them(
    call: Call, trained: Trained, monkeypatch: pytest.MonkeyPatch, logs: pytest.LogCaptureFixture
) -> None:
    trained("gan", "gan")
    monkeypatch.setattr(FractalGAN, "images_per_fractal", 7)
    assert call("predict", "--ckpt_path=best", "--run=gan") == 0
    assert "writing 28 images to gan/predictions: 7 per fractal (set --images" in logs.text
    shutil.rmtree("gan/predictions")
    assert call("predict", "--ckpt_path=best", "--run=gan", "--images=5") == 0
    assert len(list(Path("gan/predictions").glob("*/*.png"))) == 4 * 5


def test_run_folder_of_a_gan_gives_its_best_fractals(trained: Trained) -> None:
    trained("gan", "gan")
    folder, best = read_fractals("gan"), read_fractals("gan/checkpoints/best.ckpt")
    assert all(folder.parameters[name].equal(best.parameters[name]) for name in best.parameters)
    assert folder.settings == best.settings


def test_config_is_found_by_its_bare_name(call: Call, tmp_path: Path) -> None:
    drawings(tmp_path / "mine", dark_on_bright=False)
    assert call("fit", "--config", "gan_folder.yaml", *TINY, "--data.root=mine") == 0
    assert Path("runs/gan-mine-1/summary.json").is_file()


@pytest.mark.parametrize("comparable", [True, False])
def test_run_of_an_earlier_version_is_resumed(call: Call, trained: Trained, comparable: bool) -> None:
    """With its config.yaml, its checkpoint's state of ModelCheckpoint, and without later options.

    Its best score stands if it is of the metric of today.
    """
    trained("gan", "old")
    config = yaml.safe_load(Path("old/config.yaml").read_text())
    config |= {"optimizer": None, "lr_scheduler": None, "weights_only": None}
    config["data"]["init_args"] |= {"root": "data", "invert": False}
    del config["data"]["init_args"]["ignore_invalid"]
    Path("old/config.yaml").write_text(yaml.safe_dump(config))
    checkpoint = torch.load(f"old/{LAST}", weights_only=True)
    states = {name: state for name, state in checkpoint["callbacks"].items() if name != "BestCheckpoint"}
    assert len(states) == len(checkpoint["callbacks"]) - 1
    score = torch.tensor(-1.0)  # better than any later one
    monitor = "val/shape_distance" if comparable else "val/frechet_pixels"
    state = {"best_model_score": score, "monitor": monitor}
    checkpoint["callbacks"] = states | {f"ModelCheckpoint{{'monitor': '{monitor}'}}": state}
    del checkpoint["fractals"]
    torch.save(checkpoint, f"old/{LAST}")
    best = Path("old/checkpoints/best.ckpt").read_bytes()
    assert read_fractals(f"old/{LAST}").parameters["b"].shape == (4, 3, 2)
    assert call("fit", "--run=old", "--ckpt_path=last", "--trainer.max_steps=9") == 0
    assert (Path("old/checkpoints/best.ckpt").read_bytes() == best) == comparable
    assert (json.loads(Path("old/summary.json").read_text())["best"] == -1) == comparable


def test_options_that_an_older_checkpoint_lacks_are_those_of_its_time(
    call: Call,
) -> None:
    earlier = ["--model.prototypes=0", "--model.generator_schedule=constant"]
    assert call("fit", *TINY, *earlier, "--model.sequences=random", "--run=older") == 0
    checkpoint = torch.load(f"older/{LAST}", weights_only=True)
    config = yaml.safe_load(Path("older/config.yaml").read_text())
    for options in (checkpoint["hyper_parameters"], config["model"]["init_args"]):
        for name in ("prototypes", "generator_schedule", "sequences"):
            del options[name]
    torch.save(checkpoint, f"older/{LAST}")
    Path("older/config.yaml").write_text(yaml.safe_dump(config))
    assert call("fit", "--run=older", "--ckpt_path=last", "--trainer.max_steps=9") == 0
    kept = yaml.safe_load(Path("older/config.yaml").read_text())["model"]["init_args"]
    assert (kept["prototypes"], kept["generator_schedule"], kept["sequences"]) == (0, "constant", "random")


def test_config_with_an_earlier_class_name_is_read(call: Call) -> None:
    config = read_config("inverse_encoder.yaml")
    config["data"] = {"class_path": "fractalgan.SystemData", "init_args": {"num_systems": 30, "size": 16}}
    Path("old.yaml").write_text(yaml.safe_dump(config))
    assert call("fit", "--config=old.yaml", *SHORT, "--data.batch_size=8", "--run=encoder") == 0


def broken(checkpoint: dict, kind: str) -> None:
    state = checkpoint["state_dict"]
    if kind == "shape":
        state["discriminator.head.bias"] = torch.zeros(3)
    if kind == "missing":
        del state["discriminator.head.bias"]
    if kind == "unknown":
        state["discriminator.tail.bias"] = torch.zeros(3)
    if kind == "loops":
        del checkpoint["loops"]
    if kind == "optimizers":
        checkpoint["optimizer_states"][0]["param_groups"] = []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("shape", "discriminator.head.bias has the shape [3], expected [1]"),
        ("missing", "discriminator.head.bias has the shape missing, expected [1]"),
        ("unknown", "discriminator.tail.bias has the shape [3], expected none"),
        ("loops", "has invalid content"),
        ("optimizers", "has invalid content"),
    ],
)
def test_checkpoint_that_does_not_fit_is_explained(
    kind: str, message: str, call: Call, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("gan", "mine")
    checkpoint = torch.load(f"mine/{LAST}", weights_only=True)
    broken(checkpoint, kind)
    torch.save(checkpoint, "broken.ckpt")
    assert call("fit", *TINY, "--ckpt_path=broken.ckpt", "--trainer.max_steps=9", "--run=other") == 2
    error = only_error(capsys)
    assert "broken.ckpt" in error
    assert message in error


def test_gan_can_be_pickled() -> None:
    model = FractalGAN(num_fractals=4, num_transforms=3, num_points=20, image_size=16)
    again = pickle.loads(pickle.dumps(model))
    assert again.gallery().equal(model.gallery())


def test_empty_groups_of_a_configuration_keep_the_defaults(call: Call) -> None:
    Path("mine.yaml").write_text("trainer:\nmodel:\ndata:\n")
    assert call("fit", "--config=mine.yaml", *TINY, "--run=mine") == 0


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """A dark ring on white paper, as a photo of a drawing would be."""
    row, column = np.mgrid[:90, :90] - 44.5
    inside = np.abs(np.hypot(row, column) - 28) < 9
    Image.fromarray(np.where(inside, 30, 245).astype(np.uint8)).save(tmp_path / "ring.png")
    return tmp_path / "ring.png"


def test_picture_is_reconstructed_sharply(call: Call, ring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data.size=64", "--trainer.max_steps=60", "--trainer.val_check_interval=60"]
    assert call("fit", "--config=reconstruction.yaml", f"--data.path={ring}", *options, "--run=ring") == 0
    content = json.loads(Path("ring/fractals.json").read_text())
    (target,) = content["targets"]
    assert target["iou"] > 0.8
    assert content["sequences"] == "even"
    assert "val/iou" in Path("ring/metrics.jsonl").read_text()
    assert "too fine" not in capsys.readouterr().out
    image = FractalGenerator.from_pretrained("ring").draw(0, torch.Generator().manual_seed(0))[0, 0]
    row, column = np.mgrid[:64, :64] - 31.5
    radius = torch.from_numpy(np.hypot(row, column))
    assert image[(radius - 20).abs() < 4].mean() > 0.5  # bright on dark
    assert image[radius < 10].mean() < 0.1


def test_picture_that_is_too_fine_is_told(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (64, 64)).astype(np.uint8) * 255
    Image.fromarray(noise).save(tmp_path / "noise.png")
    options = ["--data.size=64", "--trainer.max_steps=3", "--trainer.val_check_interval=3"]
    assert call("fit", "--config=reconstruction.yaml", "--data.path=noise.png", *options) == 0
    out = capsys.readouterr().out
    assert "the picture is too fine for 10 transforms" in out
    assert "--model.num_transforms 20" in out
