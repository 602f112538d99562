"""Backbones as programs of their own, against the networks that they were exported from."""

from pathlib import Path

import onnxruntime
import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.nn import export_backbone, make_network
from fractalgan.storage import BackboneFile, read_backbone

CASES = [("lenet", 32, 1, False), ("resnet18", 32, 3, True), ("timm/vit_tiny_patch16_224", 64, 1, False)]

pytestmark = pytest.mark.filterwarnings("ignore:No complete tensor found")  # of torch.export, on loading


def backbone(name: str, size: int, channels: int, small_stem: bool) -> tuple[torch.nn.Module, BackboneFile]:
    network = make_network(name, 1, size, channels, small_stem=small_stem)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # which would do nothing otherwise
            torch.nn.init.uniform_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    options = {"network": name, "width": None, "small_stem": small_stem}
    options |= {"image_size": size, "channels": channels}
    return network.eval(), BackboneFile(network.features.state_dict(), options, {"step": 3})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_graphs_make_the_same_features_of_any_number_of_images(case: tuple, tmp_path: Path) -> None:
    network, content = backbone(*case)
    _, size, channels, _ = case
    for suffix in (".onnx", ".pt2", ".safetensors"):
        export_backbone(content, tmp_path / f"net{suffix}", "here")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    # in float64: in float32, the order of sums makes a difference of some 1e-6
    program, network = torch.export.load(tmp_path / "net.pt2").module().double(), network.double()
    for number in (1, 5):
        images = torch.rand(number, channels, size, size)
        with torch.no_grad():
            expected = network.embed(images.double())
            torch.testing.assert_close(program(images.double()), expected, rtol=1e-12, atol=1e-12)
        (found,) = session.run(["features"], {"images": images.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), expected.float(), rtol=1e-4, atol=1e-5)
    again = read_backbone(tmp_path / "net.safetensors")
    assert again.network == content.network
    assert all(again.weights[name].equal(each) for name, each in content.weights.items())


def test_what_cannot_be_exported_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, content = backbone(*CASES[0])
    with pytest.raises(InputError, match=r"must end in \.safetensors, \.onnx or \.pt2, got .*net\.json"):
        export_backbone(content, tmp_path / "net.json", "here")
    with pytest.raises(InputError, match="here does not say what network it is of"):
        export_backbone(content._replace(network={}), tmp_path / "net.pt2", "here")
    monkeypatch.setattr("fractalgan.errors.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"ONNX needs onnxscript, which is missing: pip install"):
        export_backbone(content, tmp_path / "net.onnx", "here")
    assert not [*tmp_path.iterdir()]
