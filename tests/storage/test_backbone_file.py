"""Weights of backbones as files."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fractalgan.errors import InputError
from fractalgan.storage import BackboneFile, read_backbone, write_backbone

OPTIONS = {"network": "lenet", "width": None, "small_stem": False, "image_size": 16, "channels": 1}


def content() -> BackboneFile:
    return BackboneFile({"b": torch.rand(2), "a": torch.rand(3, 4)}, OPTIONS, {"step": 5})


def test_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, written = tmp_path / "backbone.safetensors", content()
    write_backbone(path, written)
    found = read_backbone(path)
    assert found.network == OPTIONS
    assert found.provenance == {"step": 5}
    assert all(found.weights[name].equal(each) for name, each in written.weights.items())
    plain = load_file(path)
    assert plain.keys() == written.weights.keys()
    before = path.read_bytes()
    write_backbone(path, written)
    assert path.read_bytes() == before


def test_other_files_do_not_say_of_which_network_they_are(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"fc.weight": torch.rand(2, 3)}, path, {"format": "pt"})
    found = read_backbone(path)
    assert found.network == {}
    assert [*found.weights] == ["fc.weight"]


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_state_dict_is_read(wrapper: str | None, suffix: str, tmp_path: Path) -> None:
    weights = {"module.fc.weight": torch.rand(2, 3), "_orig_mod.fc.bias": torch.rand(2)}
    path = tmp_path / f"model{suffix}"
    torch.save(weights if wrapper is None else {wrapper: weights, "epoch": 3}, path)
    found = read_backbone(path)
    assert found.network == {}
    assert [*found.weights] == ["fc.weight", "fc.bias"]
    assert found.weights["fc.bias"].equal(weights["_orig_mod.fc.bias"])


def test_other_content_of_torch_save_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    for content, message in {
        "whole network": (torch.nn.Linear(2, 2), "damaged, or has Python objects"),
        "numbers as names": ({0: torch.rand(2)}, "does not have the weights of a network"),
        "optimizer alone": ({"optimizer": {"lr": 1.0}}, "does not have the weights of a network"),
    }.values():
        torch.save(content, path)
        with pytest.raises(InputError, match=message):
            read_backbone(path)
    torch.save({"fc.weight": torch.zeros(100)}, path)
    wrong_checksum = path.read_bytes().replace(bytes(300), b"\x01" * 300)
    for damaged in (b"nothing", wrong_checksum):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged, or has Python objects"):
            read_backbone(path)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt"])
def test_checkpoint_is_read_by_any_suffix(suffix: str, tmp_path: Path) -> None:
    path, weights = tmp_path / f"last{suffix}", {"network.features.fc.weight": torch.rand(2, 3)}
    state = {"state_dict": weights, "hyper_parameters": {"network": "lenet"}, "global_step": 5}
    torch.save(state | {"task": "Pretraining"}, path)
    found = read_backbone(path)
    assert found.network["network"] == "lenet"
    assert found.provenance == {"task": "Pretraining", "step": 5}
    assert [*found.weights] == ["fc.weight"]


def test_what_is_no_backbone_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    with pytest.raises(InputError, match=r"there are no weights .*damaged\.safetensors"):
        read_backbone(damaged)
    damaged.write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged or not a safetensors file"):
        read_backbone(damaged)
    for metadata in ({"network": "{"}, {"network": json.dumps(OPTIONS)}):
        save_file({"a": torch.rand(2)}, damaged, metadata)
        with pytest.raises(InputError, match="it has no valid network or provenance"):
            read_backbone(damaged)
    save_file({"a": torch.rand(2)}, damaged, {"network": "[]", "provenance": "{}"})
    with pytest.raises(InputError, match="does not say what network it is of"):
        read_backbone(damaged)
    with pytest.raises(InputError, match=f"there is no backbone in {tmp_path}: pass a run folder, a check"):
        read_backbone(tmp_path)
