"""Weights of vision transformers for images of another size, against the libraries' own."""

import pytest
import timm
import torch

from fractalgan.nn import make_network
from fractalgan.nn.position_embeddings import with_positions_of

VIT = "timm/vit_tiny_patch16_224"


@pytest.mark.parametrize(
    ("name", "size", "other"),
    [
        (VIT, 64, 96),
        (VIT, 96, 64),
        ("timm/deit_tiny_distilled_patch16_224", 32, 64),
        ("timm/vit_wee_patch16_reg1_gap_256", 32, 64),
        ("timm/eva02_tiny_patch14_224", 56, 112),
    ],
)
def test_timm_interpolates_the_same(name: str, size: int, other: int) -> None:
    network = make_network(name, 2, size, 3)
    weights = {key: torch.randn_like(value) for key, value in network.features.state_dict().items()}
    reference = timm.create_model(name.removeprefix("timm/"), num_classes=0, img_size=size)
    reference.load_state_dict(weights)
    reference.set_input_size(img_size=other)
    found = with_positions_of(make_network(name, 2, other, 3).features, weights)
    assert found["pos_embed"].shape != weights["pos_embed"].shape
    for key, value in reference.state_dict().items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=1e-6)


def test_torchvision_keeps_the_class_token_and_the_corners() -> None:
    small, large = (make_network("vit_b_32", 2, size, 3).features for size in (64, 160))
    weights = {**small.state_dict(), "encoder.pos_embedding": torch.randn(1, 1 + 2 * 2, 768)}
    found = with_positions_of(large, weights)
    large.load_state_dict(found)
    before, after = weights["encoder.pos_embedding"][0], found["encoder.pos_embedding"][0]
    assert after[0].equal(before[0])
    corners = after[1:].reshape(5, 5, 768)[[0, 0, -1, -1], [0, -1, 0, -1]]
    torch.testing.assert_close(corners, before[1:])
    assert all(found[name] is value for name, value in weights.items() if name != "encoder.pos_embedding")


@pytest.mark.parametrize("name", [VIT, "vit_b_32", "timm/vit_wee_patch16_reg1_gap_256"])
def test_weights_for_the_same_size_stay(name: str) -> None:
    features = make_network(name, 2, 64, 3).features
    found = with_positions_of(features, features.state_dict())
    assert all(found[key].equal(value) for key, value in features.state_dict().items())


@pytest.mark.parametrize(("name", "key"), [(VIT, "pos_embed"), ("vit_b_32", "encoder.pos_embedding")])
def test_a_grid_that_is_not_square_stays(name: str, key: str) -> None:
    features = make_network(name, 2, 64, 3).features
    weights = {**features.state_dict(), key: torch.randn(1, 1 + 6, 8)}
    assert with_positions_of(features, weights)[key].equal(weights[key])


def test_other_networks_take_weights_as_they_are() -> None:
    features = make_network("resnet18", 2, 32, 3).features
    weights = features.state_dict()
    found = with_positions_of(features, weights)
    assert found.keys() == weights.keys()
    assert all(found[name] is value for name, value in weights.items())
