"""`export`: from any source of fractals to any format."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fractalgan import FractalGenerator
from fractalgan.storage import read_fractals
from tests.cli.errors import only_error
from tests.conftest import TINY_PRETRAINING

Call = Callable[..., int]
Trained = Callable[[str, str], Path]


def embedding(source: str):
    return FractalGenerator.from_pretrained(source).embedding()


def test_shipped_fractals_go_to_every_format_and_back(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in ("flame", "ifs", "json", "safetensors"):
        assert call("export", "digits", f"--out=some.{suffix}", "--fractals", "7", "0") == 0
        out = capsys.readouterr().out.splitlines()
        assert out[0] == f"2 fractals written to some.{suffix}"
        assert out[1].endswith(f" -m fractalgan export some.{suffix} --out some.svg")
        assert out[2].endswith(f" -m fractalgan fit --config pretraining.yaml --model.fractals some.{suffix}")
        for one, other in zip(embedding(f"some.{suffix}"), embedding("digits"), strict=True):
            assert one.equal(other[[7, 0]])
    assert read_fractals("some.json").provenance["fractals"] == [7, 0]
    assert call("export", "some.flame", "--out", "deep/again.safetensors") == 0
    assert embedding("deep/again.safetensors").b.equal(embedding("digits").b[[7, 0]])


def test_drawing_names_what_can_be_written_next(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("export", "digits", "--out", "maps.svg", "--fractals", "3") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "1 fractal written to maps.svg"
    assert second.endswith("-m fractalgan export digits --out maps.flame")
    assert "<title>fractal 3</title>" in Path("maps.svg").read_text()


@pytest.mark.parametrize("task", ["gan", "reconstruction"])
def test_run_folders_and_checkpoints_are_exported(task: str, call: Call, trained: Trained) -> None:
    trained(task, "mine")
    assert call("export", "mine", "--out", "folder.flame") == 0
    assert call("export", "mine/checkpoints/last.ckpt", "--out", "last.flame") == 0
    for one, other in zip(embedding("folder.flame"), embedding("mine"), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    assert embedding("last.flame").b.equal(embedding("mine/checkpoints/last.ckpt").b)


def test_pretraining_takes_fractals_of_other_programs(call: Call) -> None:
    """And its run has a copy of its own."""
    Path("theirs.ifs").write_text(
        "".join(f"e{k} {{ .5 0 0 .5 0 0 .3\n.5 0 0 .5 1 0 .3\n.{k} .1 0 .5 0 1 .4 }}\n" for k in range(1, 5))
    )
    options = ["--config=pretraining.yaml", *TINY_PRETRAINING, "--model.fractals=theirs.ifs", "--run=mine"]
    assert call("fit", *options) == 0
    assert embedding("mine/fractals.safetensors").A.equal(embedding("theirs.ifs").A)


def test_existing_file_is_kept_unless_told_otherwise(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    Path("some.flame").write_text("precious")
    Path("folder.flame").mkdir()
    assert call("export", "digits", "--out", "some.flame") == 2
    message = "fractalgan: error: some.flame exists already: set another --out, or --overwrite true\n"
    assert capsys.readouterr().err == message
    assert Path("some.flame").read_text() == "precious"
    assert call("export", "digits", "--out", "folder.flame", "--overwrite", "true") == 2
    assert capsys.readouterr().err == "fractalgan: error: folder.flame exists already: set another --out\n"
    assert call("export", "digits", "--out", "some.flame", "--overwrite", "true") == 0
    assert len(embedding("some.flame").b) == 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["digits", "--out", "a.png"],
            "must end in .safetensors, .json, .flame, .flam3, .ifs or .svg, got a.png",
        ),
        (["digits", "--out", "a"], "must end in .safetensors"),
        (["digits"], "the following arguments are required: out"),
        (["--out", "a.flame"], "required: source"),
        (
            ["digts", "--out", "a.flame"],
            "there are no fractals 'digts': did you mean digits? Pass digits, digits-labeled, fashion-mnist",
        ),
        (["digits", "--out", "a.flame", "--fractals", "100"], "--fractals must be in 0 to 99, got 100"),
        (
            ["digits", "--out", "a.flame", "--fractals", "-1"],
            "--fractals must be indices, such as 0 3 7, got -1",
        ),
        (
            ["digits", "--out", "a.flame", "--fractals", "x"],
            "--fractals must be indices, such as 0 3 7, got x",
        ),
        (["digits", "--out", "a.flame", "--overwrit", "true"], "did you mean --overwrite?"),
        (["bad.flame", "--out", "a.flame"], "bad.flame is damaged or not an XML file"),
        (["mixed.safetensors", "--out", "a.flame"], "mixed.safetensors is damaged or not a safetensors file"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.flame").write_text("<flame")
    Path("mixed.safetensors").write_text("{")
    assert call("export", *arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not Path("a.flame").exists()


def test_help_of_classes_is_refused(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("export", "--model.help") == 2
    assert "export has no --model.help: use export --help-all" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:No complete tensor found")  # of torch.export, on loading
def test_backbones_are_exported(call: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """From a run of Pretraining, a checkpoint, and the weights that it leaves."""
    assert call("fit", "--config=pretraining.yaml", *TINY_PRETRAINING, "--run=run") == 0
    capsys.readouterr()
    for number, source in enumerate(["run", "run/checkpoints/last.ckpt", "run/backbone.safetensors"]):
        assert call("export", source, "--out", f"{number}.pt2") == 0
        assert f"lenet for images of 16 x 16 pixels written to {number}.pt2" in capsys.readouterr().out
        assert torch.export.load(f"{number}.pt2").module()(torch.zeros(3, 1, 16, 16)).shape == (3, 84)
    assert call("export", "run", "--out", "copy.safetensors") == 0
    assert "--model.backbone copy.safetensors --data.size 16" in capsys.readouterr().out
    for options, message in [
        (["--out=copy.safetensors"], "copy.safetensors exists already"),
        (["--out=net.svg"], "a file of a backbone must end in .safetensors, .onnx or .pt2, got net.svg"),
        (["--out=net.pt2", "--fractals", "3"], "--fractals has no effect with run, which is a network"),
    ]:
        assert call("export", "run", *options) == 2
        assert message in only_error(capsys)
