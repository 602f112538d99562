"""Learned fractals as files."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fractalgan import FractalGAN
from fractalgan.errors import InputError
from fractalgan.nn import FractalEmbedding, FractalGenerator, MatricesForm
from fractalgan.ops import Features, anderson_farrell, collapse
from fractalgan.storage import RunFolder, read_fractals, write_fractals


def generator(form: MatricesForm = "sigmoid") -> FractalGenerator:
    embedding = FractalEmbedding(anderson_farrell(5, 3), form, (0.1, 0.8))
    return FractalGenerator(embedding, image_size=24, num_points=50, window=1.7, tau=0.7, jitter=0.2)


@pytest.mark.parametrize("form", ["sigmoid", "clamp", "raw"])
def test_file_restores_the_same_fractals(form: MatricesForm, tmp_path: Path) -> None:
    written, path = generator(form), tmp_path / "some.safetensors"
    written.save(path, {"data": "digits", "seed": 3})
    read = FractalGenerator.from_pretrained(path)
    fractals = torch.arange(5)
    drawn = [each.draw(fractals, torch.Generator().manual_seed(1)) for each in (written, read)]
    assert drawn[0].equal(drawn[1])
    assert read_fractals(path).provenance == {"data": "digits", "seed": 3}
    assert not list(tmp_path.glob("*.tmp"))


def test_file_keeps_the_tau_of_each_fractal(tmp_path: Path) -> None:
    written, path = generator(), tmp_path / "some.safetensors"
    before = written.draw(range(5), torch.Generator().manual_seed(1))
    written.embedding.relative_tau = torch.tensor([1.0, 0.5, 0.7, 2.0, 1.4])
    written.save(path)
    read = FractalGenerator.from_pretrained(path)
    drawn = [each.draw(range(5), torch.Generator().manual_seed(1)) for each in (written, read)]
    assert drawn[0].equal(drawn[1])
    assert [one.equal(other) for one, other in zip(drawn[1], before, strict=True)] == [True, *[False] * 4]


@pytest.mark.parametrize(
    ("multiples", "message"),
    [
        (torch.ones(4), r"relative_tau must have the shape \[num_fractals\]"),
        (torch.ones(5, dtype=torch.long), "relative_tau must have the shape"),
        (torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0]), "tau must be in"),
        (torch.tensor([1.0, 1.0, float("nan"), 1.0, 1.0]), "tau must be in"),
    ],
)
def test_tau_that_does_not_match_the_fractals_is_refused(multiples, message: str, tmp_path: Path) -> None:
    written = generator()
    written.embedding.relative_tau = multiples
    written.save(tmp_path / "some.safetensors")
    with pytest.raises(InputError, match=message):
        FractalGenerator.from_pretrained(tmp_path / "some.safetensors")


@pytest.mark.parametrize("number", [1, 3])
def test_file_keeps_gray_levels_and_colors(number: int, tmp_path: Path) -> None:
    transforms = anderson_farrell(5, 3)
    features = Features(torch.rand(5, 3, number), torch.rand(5, 3), torch.rand(5, number))
    written, path = (
        FractalGenerator(FractalEmbedding(transforms, features=features)),
        tmp_path / "some.safetensors",
    )
    written.save(path)
    read = FractalGenerator.from_pretrained(path)
    assert read.channels == number
    drawn = [each.draw(range(5), torch.Generator().manual_seed(1)) for each in (written, read)]
    assert drawn[0].equal(drawn[1])
    assert drawn[0].shape == (5, number, 32, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": torch.zeros(5, 3, 2)}, r"features must have the shape .*1 or 3"),
        ({"values": torch.zeros(4, 3, 3)}, r"features.values must have the shape \[5, 3, 3\]"),
        ({"values": torch.full((5, 3, 3), 1.5)}, r"features.values must be in \[0, 1\]"),
        ({"values": torch.full((5, 3, 3), torch.nan)}, r"features.values must be in \[0, 1\]"),
        ({"values": torch.zeros(5, 3, 3, dtype=torch.long)}, "features.values must have the shape"),
        ({"blend": torch.zeros(5)}, r"features.blend must have the shape \[5, 3\]"),
        ({"background": torch.full((5, 3), -0.1)}, r"features.background must be in \[0, 1\]"),
        ({"values": None}, r"features must have the shape .*1 or 3"),
        ({"background": None}, r"features.background must have the shape \[5, 3\]"),
    ],
)
def test_features_that_do_not_match_the_fractals_are_refused(change, message: str, tmp_path: Path) -> None:
    written = FractalGenerator(FractalEmbedding(anderson_farrell(5, 3)))
    parts = {"values": torch.zeros(5, 3, 3), "blend": torch.zeros(5, 3), "background": torch.zeros(5, 3)}
    found = {f"features.{name}": each for name, each in (parts | change).items() if each is not None}
    file = written.to_file()
    write_fractals(tmp_path / "some.safetensors", file._replace(parameters=file.parameters | found))
    with pytest.raises(InputError, match=message):
        FractalGenerator.from_pretrained(tmp_path / "some.safetensors")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    generator().save(str(tmp_path / "some.safetensors"))
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        generator().save(tmp_path / "some.pt")


def test_file_of_100_fractals_has_about_32_kilobytes(tmp_path: Path) -> None:
    path = tmp_path / "hundred.safetensors"
    FractalGenerator(FractalEmbedding(anderson_farrell(100, 10))).save(path)
    assert path.stat().st_size < 34_000


def test_equal_fractals_are_equal_bytes_in_every_process(tmp_path: Path) -> None:
    """safetensors alone writes its metadata in an order that changes."""
    generator = FractalGenerator(FractalEmbedding(anderson_farrell(3, 4)))
    files = set()
    for number in range(20):
        generator.save(tmp_path / f"{number}.safetensors", {"data": "é 1"})
        files.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(files) == 1
    assert read_fractals(tmp_path / "0.safetensors").provenance == {"data": "é 1"}


def test_fractals_of_a_gan_checkpoint(tmp_path: Path) -> None:
    model = FractalGAN(num_fractals=4, num_transforms=3, num_points=20, image_size=16)
    checkpoint = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams), "global_step": 7}
    torch.save(checkpoint | {"task": "FractalGAN"}, tmp_path / "gan.ckpt")
    read = FractalGenerator.from_pretrained(tmp_path / "gan.ckpt")
    assert read.embedding().A.equal(model.generator.embedding().A)
    assert (read.size, read.num_points) == ((16, 16), 20)
    assert read_fractals(tmp_path / "gan.ckpt").provenance["step"] == 7


def test_newest_checkpoint_of_a_run_replaces_a_damaged_best_one(
    tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    run = RunFolder(tmp_path)
    run.checkpoints.mkdir()
    model = FractalGAN(num_fractals=4, num_transforms=3, num_points=20, image_size=16)
    checkpoint = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    for step, path in {7: run.periodic(7), 8: run.last}.items():
        torch.save(checkpoint | {"task": "FractalGAN", "global_step": step}, path)
    assert read_fractals(tmp_path).provenance["step"] == 8
    assert not logs.text
    run.best.write_bytes(b"damaged")
    assert read_fractals(tmp_path).provenance["step"] == 8
    assert f"{run.best} is damaged: reading {run.last} instead" in logs.text
    shutil.copy(run.best, run.last)
    assert read_fractals(tmp_path).provenance["step"] == 7
    shutil.copy(run.best, run.periodic(7))
    with pytest.raises(InputError, match="has no learned fractals"):
        read_fractals(tmp_path)


@pytest.mark.parametrize("name", ["digits", "fashion-mnist"])
def test_shipped_fractals_have_a_provenance(name: str) -> None:
    shipped = FractalGenerator.from_pretrained(name)
    A, b = shipped.embedding()
    assert (A.shape, b.shape) == ((100, 10, 2, 2), (100, 10, 2))
    fractals = torch.arange(100)
    sequences = shipped.draw_sequences(fractals, torch.Generator().manual_seed(0))
    assert not collapse(shipped.points(fractals, sequences), shipped.size).any.any()
    provenance = read_fractals(name).provenance
    assert {"data", "recipe", "seed", "step", "scores", "version"} <= provenance.keys()
    assert provenance["recipe"]["num_fractals"] == 100
    assert provenance["scores"]["val/collapsed"] == 0


def test_shipped_fractals_with_labels_have_18_of_each_digit() -> None:
    shipped = FractalGenerator.from_pretrained("mnist-labeled")
    embedding = shipped.embedding
    assert embedding.labels is not None
    assert embedding.labels.bincount().tolist() == [18] * 10
    assert embedding.num_transforms == 7
    assert {"data", "recipe", "seed", "step", "scores", "initial_fractals"} <= shipped.provenance.keys()
    assert shipped.provenance["scores"]["val/classification_accuracy_score"] > 0.95


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        InputError,
        match=r"there are no fractals 'fashion-mist': did you mean fashion-mnist\? Pass .*\.ifs file, or a",
    ):
        FractalGenerator.from_pretrained("fashion-mist")


def test_files_without_later_settings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "older.safetensors"
    generator().save(path)
    with safe_open(path, "pt") as file:
        settings = json.loads(file.metadata()["settings"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    del settings["jitter"]
    save_file(tensors, path, metadata | {"settings": json.dumps(settings)})
    assert FractalGenerator.from_pretrained(path).jitter == 0

    model = FractalGAN(num_fractals=4, num_transforms=3, num_points=20, image_size=16)
    options = {name: value for name, value in model.hparams.items() if name != "jitter"}
    checkpoint = {"state_dict": model.state_dict(), "hyper_parameters": options, "global_step": 7}
    torch.save(checkpoint | {"task": "FractalGAN"}, tmp_path / "gan.ckpt")
    assert FractalGenerator.from_pretrained(tmp_path / "gan.ckpt").jitter == 0


def test_files_with_other_content_are_refused(tmp_path: Path) -> None:
    cases = {name: tmp_path / f"{name}.safetensors" for name in ("cut", "noise", "foreign", "mismatched")}
    generator().save(cases["cut"])
    cases["cut"].write_bytes(cases["cut"].read_bytes()[:-10])
    cases["noise"].write_bytes(b"\xff" * 100)
    save_file({"weight": torch.zeros(2)}, cases["foreign"])
    generator().save(cases["mismatched"])
    with safe_open(cases["mismatched"], "pt") as file:
        metadata = file.metadata() | {"settings": json.dumps({"matrices": "raw"})}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, cases["mismatched"], metadata)
    cases["no JSON"] = tmp_path / "no JSON.safetensors"
    save_file(tensors, cases["no JSON"], metadata | {"provenance": "none"})
    with pytest.raises(InputError, match=r"is damaged, it has no valid settings or provenance: replace it$"):
        read_fractals(cases["no JSON"])
    for path in cases.values():
        with pytest.raises(InputError, match=path.name):
            FractalGenerator.from_pretrained(path)


@pytest.mark.parametrize("source", ["digits.json", "no/such/digits", "nothing-like-it"])
def test_paths_and_other_names_get_no_hint(source: str) -> None:
    with pytest.raises(InputError, match=f"there are no fractals '{source}': pass digits"):
        read_fractals(source)
