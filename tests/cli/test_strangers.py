"""Checkpoints of strangers: nothing that they name is run, opened or removed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import TINY, TINY_ENCODER, TINY_PRETRAINING, TINY_RECONSTRUCTION

Call = Callable[..., int]
Trained = Callable[[str, str], Path]
PRETRAINING = ["--config=pretraining.yaml", *TINY_PRETRAINING]


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A changed copy of a checkpoint, outside of any run."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, "stranger.ckpt")
    return Path("stranger.ckpt")


def best_of(content: dict[str, Any]) -> dict[str, Any]:
    """Its state of the best checkpoint."""
    return content["callbacks"]["BestCheckpoint"]


def test_paths_of_better_checkpoints_are_not_removed(call: Call, trained: Trained) -> None:
    trained("gan", "mine")
    victim = Path("victim")
    victim.mkdir()

    def point_elsewhere(content: dict[str, Any]) -> None:
        path = f"local://{victim.resolve()}"
        state = {"kth_best_model_path": path, "best_k_models": {path: torch.tensor(1e9)}}
        state |= {"best_model_score": torch.tensor(1e9), "kth_value": torch.tensor(1e9)}
        content["callbacks"] |= {"ModelCheckpoint{'monitor': 'val/frechet_pixels'}": state}

    path = changed(Path("mine/checkpoints/last.ckpt"), point_elsewhere)
    assert call("fit", *TINY, "--trainer.max_steps=9", f"--ckpt_path={path}", "--run=other") == 0
    assert Path("other/checkpoints/best.ckpt").is_file()
    assert victim.is_dir()


def test_run_whose_folder_was_moved_keeps_its_best_checkpoint(call: Call, trained: Trained) -> None:
    trained("gan", "mine")
    Path("mine").rename("moved")
    last, best = (Path(f"moved/checkpoints/{name}.ckpt") for name in ("last", "best"))
    content = torch.load(last, weights_only=True)
    best_of(content)["score"] = -1.0  # better than any later one
    torch.save(content, last)
    before = best.read_bytes()
    assert call("fit", *TINY, "--trainer.max_steps=9", f"--ckpt_path={last}") == 0
    assert best.read_bytes() == before
    assert best_of(torch.load(last, weights_only=True))["score"] == -1


def test_classes_are_not_imported(call: Call, trained: Trained) -> None:
    trained("gan", "mine")
    Path("evil.py").write_text("raise SystemExit('imported')")

    def name_a_class(content: dict[str, Any]) -> None:
        content["hyper_parameters"] |= {"_class_path": "evil.Model", "_instantiator": "evil.make"}

    path = changed(Path("mine/checkpoints/last.ckpt"), name_a_class)
    assert call("validate", *TINY, f"--ckpt_path={path}") == 0


def test_functions_are_not_called(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """Lightning by itself calls the function that a checkpoint names to make its model."""
    assert call("fit", "--config=inverse_encoder.yaml", *TINY_ENCODER, "--run=mine") == 0
    Path("evil.py").write_text("raise SystemExit('imported')")

    def name_a_function(content: dict[str, Any]) -> None:
        content["hyper_parameters"]["_instantiator"] = "evil.make"

    path = changed(Path("mine/checkpoints/last.ckpt"), name_a_function)
    rebuild = ["--config=reconstruction_32px.yaml", *TINY_RECONSTRUCTION, f"--model.start={path}"]
    assert call("fit", *rebuild) == 2
    assert "stranger.ckpt has invalid content" in capsys.readouterr().err


@pytest.mark.parametrize("elsewhere", ["elsewhere.safetensors", "user/elsewhere"])
def test_files_and_repositories_of_fractals_are_not_opened(
    call: Call, logs: pytest.LogCaptureFixture, elsewhere: str
) -> None:
    assert call("fit", *PRETRAINING, "--run=mine") == 0

    def name_a_file(content: dict[str, Any]) -> None:
        content["hyper_parameters"]["fractals"] = elsewhere

    path = changed(Path("mine/checkpoints/last.ckpt"), name_a_file)
    assert call("validate", *PRETRAINING, f"--ckpt_path={path}") == 0
    assert "elsewhere" not in logs.text


@pytest.mark.parametrize("task", ["gan", "reconstruction"])
def test_states_of_optimizers_must_fit_the_parameters(
    call: Call, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    """A fused optimizer would read and write past their ends."""
    rebuilding = ["--config=reconstruction_32px.yaml", *TINY_RECONSTRUCTION]
    options = TINY if task == "gan" else rebuilding
    assert call("fit", *options, "--run=mine") == 0

    def cut(content: dict[str, Any]) -> None:
        content["optimizer_states"][0]["state"][0]["exp_avg"] = torch.zeros(1)

    path = changed(Path("mine/checkpoints/last.ckpt"), cut)
    assert call("fit", *options, "--trainer.max_steps=9", f"--ckpt_path={path}") == 2
    assert "the optimizer states in the checkpoint do not fit its parameters" in capsys.readouterr().err
