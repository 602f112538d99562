"""The command line in-process: runs, their folders, invalid input."""

import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fractalgan.tasks import FractalGAN
from tests.cli.folders import FIT_CONFIGS, content, rows, weights
from tests.conftest import (
    TINY,
    TINY_AUTOENCODER,
    TINY_CLASSIFIER,
    TINY_DISTILLATION,
    TINY_ENCODER,
    TINY_PRETRAINING,
    TINY_RECONSTRUCTION,
)
from tests.data.files import labeled_fractals

Call = Callable[..., int]
Trained = Callable[[str, str], Path]


def read_pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_time_limit_logs_the_step_that_it_ends(call: Call) -> None:
    """Once, even if it is not one of every 30 steps that are logged."""
    limit = ["--trainer.max_steps=-1", "--trainer.max_time=00:00:00:01", "--trainer.log_every_n_steps=30"]
    limit += ["--model.generator_schedule=constant"]  # the others need a last step
    assert call("fit", *TINY, *limit, "--run=limited") == 0
    trained = [row["step"] for row in rows(Path("limited")) if "train/generator_loss" in row]
    assert trained == sorted(set(trained))
    assert trained[-1] == json.loads(Path("limited/summary.json").read_text())["step"]


def test_fit_writes_the_complete_folder(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fit", *TINY) == 0
    folder = Path("runs/gan-digits-1")
    for name in [
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "summary.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    ]:
        assert (folder / name).is_file(), name
    assert list(folder.glob("events.out.tfevents.*"))
    pictures = {path.name: read_pixels(path).shape[1::-1] for path in (folder / "figures").iterdir()}
    grid = (2 + 4 * 66, 68)  # 4 images of 16 x 16, each pixel 4 x 4, 2 pixels between
    assert pictures["fractals_000000.png"] == pictures["fractals_000006.png"] == grid
    assert {"real.png", "fractals_000003.png", "before_after_real.png"} <= pictures.keys()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["finished"]
    assert summary["step"] == 6
    assert summary["best"] == pytest.approx(min(r["val/shape_distance"] for r in rows(folder) if len(r) > 7))
    out = capsys.readouterr().out
    assert "of their white pixels in common" in summary["findings"][-1]
    assert all(f"- {finding}" in out for finding in summary["findings"])
    assert "run folder: runs/gan-digits-1" in out
    assert "-m fractalgan predict --ckpt_path runs/gan-digits-1/checkpoints/best.ckpt" in out


def test_metrics_and_events_count_batches(trained: Trained) -> None:
    folder = trained("gan", "run")
    assert [row["step"] for row in rows(folder)] == [2, 3, 4, 6, 6]
    events = EventAccumulator(str(folder)).Reload()
    assert [e.step for e in events.Scalars("train/generator_loss")] == [2, 4, 6]
    assert [e.step for e in events.Scalars("val/collapsed")] == [3, 6]
    assert {"images/fractals", "images/real"} <= set(events.Tags()["images"])
    assert [e.step for e in events.Images("images/fractals")] == [0, 3, 6]


def test_second_run_gets_a_folder_of_its_own(call: Call, trained: Trained) -> None:
    trained("gan", "runs/gan-digits-1")
    before = content(Path("runs"))
    assert call("fit", *TINY, "--seed_everything=1") == 0
    after = content(Path("runs"))
    assert all(after[path] == data for path, data in before.items())
    first, second = (weights(Path(f"runs/gan-digits-{n}/checkpoints/last.ckpt")) for n in (1, 2))
    assert not first["generator.embedding.b"].equal(second["generator.embedding.b"])


def test_config_of_a_run_repeats_the_run(call: Call, trained: Trained) -> None:
    trained("gan", "runs/gan-digits-1")
    assert call("fit", "--config", "runs/gan-digits-1/config.yaml") == 0
    first, second = (weights(Path(f"runs/gan-digits-{n}/checkpoints/last.ckpt")) for n in (1, 2))
    assert all(first[name].equal(second[name]) for name in first)
    assert rows(Path("runs/gan-digits-1")) == rows(Path("runs/gan-digits-2"))


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_checkpoint_is_evaluated(
    call: Call, trained: Trained, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("gan", "runs/gan-digits-1")
    before = content(Path("runs"))
    for _ in range(2):
        assert call(verb, "--ckpt_path=last") == 0
    first, second = Path("runs/gan-digits-1/evaluations.jsonl").read_text().splitlines()
    assert first == second
    out = capsys.readouterr().out
    assert "of their white pixels in common" in out
    assert "metrics appended to runs/gan-digits-1/evaluations.jsonl" in out
    row = json.loads(first)
    assert row["step"] == 6
    if verb == "validate":
        assert row["val/frechet_pixels"] == rows(Path("runs/gan-digits-1"))[-1]["val/frechet_pixels"]
    assert all(Path(path).read_bytes() == data for path, data in before.items())


def test_predicted_images_are_a_data_set(call: Call, trained: Trained) -> None:
    trained("gan", "runs/gan-digits-1")
    predict = [
        "predict",
        "--trainer.accelerator=cpu",
        "--trainer.limit_predict_batches=5",
        "--ckpt_path=best",
    ]
    assert call(*predict) == 0
    folder = Path("runs/gan-digits-1/predictions")
    assert len(list(folder.glob("*/*.png"))) == 4 * 5
    images = np.stack([read_pixels(path) for path in sorted(folder.glob("001/*.png"))])
    assert images.shape == (5, 16, 16)
    assert images.max() > 100
    assert len({image.tobytes() for image in images}) == 5
    assert call(*predict) == 2  # the images are not overwritten
    assert call("fit", *TINY, "--data.name=folder", f"--data.root={folder}") == 0
    assert Path("runs/gan-predictions-1/summary.json").is_file()


@pytest.mark.parametrize("config", FIT_CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_runs(
    call: Call, config: Path, mnist_like: Callable[[str], Path], image_folder: Path
) -> None:
    root = {
        "gan_mnist": lambda: mnist_like("MNIST"),
        "gan_kmnist": lambda: mnist_like("KMNIST"),
        "gan_fashion_mnist": lambda: mnist_like("FashionMNIST"),
        "reconstruction_paper": lambda: mnist_like("FashionMNIST"),
        "reconstruction_release": lambda: mnist_like("FashionMNIST"),
        "gan_folder": lambda: image_folder,
    }.get(config.stem, lambda: "data")()
    fractals = labeled_fractals(image_folder.parent / "labeled.safetensors")
    options = {
        "gan_labeled": [*TINY, "--model.num_fractals=10"],
        "pretraining": [*TINY_PRETRAINING],
        "probe": ["--trainer.accelerator=cpu", "--data.size=16"],
        "autoencoder": [*TINY_AUTOENCODER],
        "inverse_encoder": [*TINY_ENCODER],
        "reconstruction": [*TINY_RECONSTRUCTION, "--model.coverage=null"],
        "reconstruction_color": [*TINY_RECONSTRUCTION, "--model.coverage=null", "--data.count=2"],
        "reconstruction_color_32px": [*TINY_RECONSTRUCTION, "--data.count=2"],
        "reconstruction_32px": TINY_RECONSTRUCTION,
        "labeled_fractals": [*TINY_RECONSTRUCTION, "--data.per_class=1", "--model.start=even"],
        "classifier": [*TINY_CLASSIFIER, f"--data.fractals={fractals}"],
        "classifier_images": TINY_CLASSIFIER,
        "finetuning": TINY_CLASSIFIER,
        "distillation": [*TINY_DISTILLATION, f"--model.fractals={fractals}"],
        "reconstruction_paper": [*TINY_RECONSTRUCTION, f"--data.root={root}"],
        "reconstruction_release": [*TINY_RECONSTRUCTION, f"--data.root={root}", "--data.per_class=2"],
    }.get(config.stem, [*TINY, f"--data.root={root}"])
    if "SetMetrics" in config.read_text():
        options += ["--trainer.callbacks=fractalgan.callbacks.SetMetrics", "--trainer.callbacks.steps=20"]
    assert call("fit", "--config", str(config), *options) == 0
    others = {
        "inverse_encoder": "encoder",
        "labeled_fractals": "reconstruction",
        "finetuning": "classifier",
    }
    stem = others.get(config.stem, config.stem.split("_")[0])
    assert len(list(Path("runs").glob(f"{stem}-*-1/summary.json"))) == 1


@pytest.mark.parametrize(
    "given",
    [
        ["--config=inverse_encoder.yaml"],
        ["--data=fractalgan.RandomFractalData"],
        ["--config=short.yaml"],
        ['--config={"data": {"class_path": "fractalgan.RandomFractalData"}}'],
        ["--config", '{"data": "fractalgan.RandomFractalData"}'],
    ],
)
def test_class_has_its_own_defaults_whatever_those_of_the_default_class(
    call: Call, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    Path("short.yaml").write_text("data: fractalgan.RandomFractalData")
    with pytest.raises(SystemExit):
        call("fit", "--model=fractalgan.InverseEncoder", *given, "--print_config")
    assert yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]["binarize"] == 0.2


@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_verb_without_options_asks_for_a_checkpoint(
    call: Call, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert call(verb) == 2
    assert f"{verb} needs a checkpoint: set --ckpt_path" in capsys.readouterr().err


def test_option_may_come_before_the_file_that_names_its_class(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call("fit", "--model.lr=0.5", "--config=inverse_encoder.yaml", "--print_config")
    assert yaml.safe_load(capsys.readouterr().out)["model"]["init_args"]["lr"] == 0.5


def test_digits_config_is_the_default(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*arguments: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit):
            call("fit", *arguments, "--print_config")
        return capsys.readouterr().out

    config = str(next(path for path in FIT_CONFIGS if path.stem == "gan_digits"))
    assert printed("--config", config) == printed()
    named = yaml.safe_load(Path(config).read_text())["model"]["init_args"].keys()
    linked = {"image_size", "seed"}
    assert named | linked == inspect.signature(FractalGAN).parameters.keys()


def test_fast_dev_run_writes_nothing(call: Call) -> None:
    assert call("fit", *TINY, "--trainer.fast_dev_run=true") == 0
    assert not Path("runs").exists()


BAD = {
    "unknown data set": (["--data.name=imagenet"], "expected one of digits, MNIST"),
    "unknown option": (["--model.nonsense=1"], "nonsense"),
    "misspelled option": (
        ["--model.num_fractal=9"],
        "FractalGAN has no option 'num_fractal'; did you mean num_fractals?",
    ),
    "misspelled option of the trainer": (
        ["--trainer.max_step=9"],
        "--trainer.max_step=9; did you mean --trainer.max_steps?",
    ),
    "misspelled group": (["--dta.name=digits"], "--dta.name=digits; did you mean --data.name?"),
    "wrong type": (["--model.num_fractals=many"], "--model.num_fractals: expected int, got many"),
    "no fractals": (["--model.num_fractals=0"], "num_fractals must be >= 1, got 0"),
    "no transforms": (["--model.num_transforms=0"], "num_transforms must be >= 1"),
    "no points": (["--model.num_points=-1"], "num_points must be >= 1"),
    "no steps": (["--trainer.max_steps=0"], "trainer.max_steps must be >= 1"),
    "endless": (["--trainer.max_steps=-1"], "set --trainer.max_steps or --trainer.max_time"),
    "no size": (["--data.size=0"], "error: --data.size must be >= 16 for a LeNet, got 0"),
    "no batch": (["--data.batch_size=0"], "batch_size must be >= 1"),
    "missing config": (["--config=none.yaml"], "none.yaml"),
    "missing folder": (["--data.name=folder", "--data.root=none"], "no folder none"),
    "empty folder": (["--data.name=folder", "--data.root=empty"], "no images in empty"),
    "no image": (
        ["--data.name=folder", "--data.root=mixed"],
        "broken.png is not an image file: remove it or set --data.ignore_invalid true",
    ),
    "missing checkpoint": (["--ckpt_path=none.ckpt"], "there is no checkpoint none.ckpt"),
    "no run to resume": (["--ckpt_path=last"], "no run in runs/ has saved a checkpoint"),
    "truncated checkpoint": (
        ["--ckpt_path=cut.ckpt"],
        "cut.ckpt is damaged or not a checkpoint: use another one",
    ),
    "empty checkpoint": (["--ckpt_path=empty.ckpt"], "empty.ckpt is damaged"),
    "a stranger's checkpoint": (["--ckpt_path=stranger.ckpt"], "is not a checkpoint of a fractalgan run"),
    "another task's checkpoint": (["--ckpt_path=other.ckpt"], "a checkpoint of SomeProbe, not of FractalGAN"),
    "reached its steps": (["--ckpt_path=whole.ckpt"], "is at step 6 already"),
    "folder of a run": (["--run=taken"], "taken is not empty: set another --run"),
    "betas": (["--model.generator_betas=[1.5,0.9]"], "generator_betas"),
    "negative seed": (["--seed_everything=-1"], "--seed_everything: must be >= 0, got -1"),
    "no validation": (["--trainer.val_check_interval=0"], "val_check_interval"),
    "half a validation": (["--trainer.val_check_interval=0.5"], "val_check_interval"),
    "limited batches": (["--trainer.limit_train_batches=3"], "set --trainer.max_steps"),
    "half precision": (["--trainer.precision=bf16-true"], "trainer.precision"),
    "unfillable": (["--model.start=fractaldb", "--model.num_transforms=1"], "hardly ever fill"),
    "no accelerator": (["--trainer.accelerator=abacus"], "abacus"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_harms_nothing(
    case: str, call: Call, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(trained("gan", "run") / "checkpoints/last.ckpt", "whole.ckpt")
    shutil.rmtree("run")
    for name in ("empty", "mixed", "taken"):
        (tmp_path / name).mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "mixed" / "a.png")
    (tmp_path / "mixed" / "broken.png").write_text("no image")
    (tmp_path / "taken" / "metrics.jsonl").write_text("{}")
    whole = torch.load("whole.ckpt", weights_only=True)
    Path("cut.ckpt").write_bytes(Path("whole.ckpt").read_bytes()[:-1000])
    Path("empty.ckpt").write_bytes(b"")
    torch.save({"weights": torch.zeros(3)}, "stranger.ckpt")
    torch.save(whole | {"task": "SomeProbe"}, "other.ckpt")
    before = content(tmp_path)
    capsys.readouterr()

    options, message = BAD[case]
    assert call("fit", *TINY, *options) in (1, 2)
    lines = capsys.readouterr().err.strip().splitlines()
    errors = [line for line in lines if line.startswith("fractalgan: error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert content(tmp_path) == before
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


def test_folder_of_another_run_is_not_overwritten(
    call: Call, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("gan", "mine")
    trained("gan", "other")
    before = content(Path("other"))
    options = ["--ckpt_path=mine/checkpoints/last.ckpt", "--trainer.max_steps=9"]
    assert call("fit", *options, "--run=other") == 2
    assert "other has a run: resume it with --ckpt_path last, or set" in capsys.readouterr().err
    assert content(Path("other")) == before


def test_folder_of_the_user_is_kept_where_a_run_fails_to_start(call: Call) -> None:
    Path("mine").mkdir()
    Path("mine/events.out.tfevents.1.host").touch()
    for name in ("mine", "new"):
        assert call("fit", *TINY, f"--run={name}", "--trainer.accelerator=abacus") == 2
    assert Path("mine/events.out.tfevents.1.host").exists()
    assert not Path("new").exists()


def test_resuming_that_fails_to_start_loses_no_row(call: Call, trained: Trained) -> None:
    trained("gan", "runs/gan-digits-1")
    metrics = Path("runs/gan-digits-1/metrics.jsonl")
    with metrics.open("a") as file:
        file.write('{"step": 99}\n')
    before = content(Path("runs"))
    options = ["--ckpt_path=last", "--trainer.max_steps=9", "--trainer.accelerator=abacus"]
    assert call("fit", *options) == 2
    assert content(Path("runs")) == before


def test_smallest_folder_trains(call: Call, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "few").mkdir()
    for number in range(5):
        Image.fromarray(random.integers(0, 255, (10, 10), np.uint8)).save(tmp_path / f"few/{number}.png")
    assert call("fit", *TINY, "--data.name=folder", "--data.root=few") == 0
    (tmp_path / "few/4.png").unlink()
    assert call("fit", *TINY, "--data.name=folder", "--data.root=few") == 2


def test_mixed_precision_trains(call: Call) -> None:
    assert call("fit", *TINY, "--trainer.precision=bf16-mixed") == 0


@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_evaluation_needs_a_checkpoint(call: Call, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert call(verb, "--trainer.accelerator=cpu") == 2
    assert f"{verb} needs a checkpoint: set --ckpt_path" in capsys.readouterr().err


def test_defect_shows_its_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_, **__) -> None:
        raise KeyError("defect")

    monkeypatch.setattr(FractalGAN, "training_step", broken)
    with pytest.raises(KeyError, match="defect"):
        call("fit", *TINY)
