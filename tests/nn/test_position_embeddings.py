"""Weights of vision transformers for images of another size, against the libraries' own."""

import importlib

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from fractalgan.nn import make_network
from fractalgan.nn.position_embeddings import OF_TIMM, OF_TORCHVISION, resize_position_embeddings


def of_torchvision(size: int) -> nn.Module:
    return VisionTransformer(size, 16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8)


def of_timm(name: str, size: int) -> nn.Module:
    return make_network(f"timm/{name}", 2, size, 3).features


@pytest.mark.parametrize(
    ("name", "size", "other"),
    [
        ("vit_tiny_patch16_224", 64, 96),
        ("vit_tiny_patch16_224", 96, 64),
        ("deit_tiny_distilled_patch16_224", 32, 64),
        ("eva02_tiny_patch14_224", 56, 112),
    ],
)
def test_timm_interpolates_the_same_when_it_loads_weights(name: str, size: int, other: int) -> None:
    weights = {key: torch.randn_like(value) for key, value in of_timm(name, size).state_dict().items()}
    features = of_timm(name, other)
    module = importlib.import_module(type(features).__module__)
    expected = module.checkpoint_filter_fn(dict(weights), features)
    found = resize_position_embeddings(weights, features)
    assert found[OF_TIMM].shape != weights[OF_TIMM].shape
    torch.testing.assert_close(found[OF_TIMM], expected[OF_TIMM])
    assert all(found[key] is value for key, value in weights.items() if key != OF_TIMM)
    features.load_state_dict(found)


def test_torchvision_keeps_the_class_token_and_the_corners() -> None:
    weights = {**of_torchvision(32).state_dict(), OF_TORCHVISION: torch.randn(1, 1 + 2 * 2, 8)}
    large = of_torchvision(80)
    found = resize_position_embeddings(weights, large)
    large.load_state_dict(found)
    before, after = weights[OF_TORCHVISION][0], found[OF_TORCHVISION][0]
    assert after[0].equal(before[0])
    corners = after[1:].reshape(5, 5, 8)[[0, 0, -1, -1], [0, -1, 0, -1]]
    torch.testing.assert_close(corners, before[1:])
    assert all(found[key] is value for key, value in weights.items() if key != OF_TORCHVISION)


@pytest.mark.parametrize("key", [OF_TIMM, OF_TORCHVISION])
@pytest.mark.parametrize("shape", [None, (1, 7, 8), (1, 1, 8), (1, 0, 8), (2, 5, 8), (5, 8), (5,)])
def test_what_has_no_square_grid_or_the_same_stays(key: str, shape: tuple[int, ...] | None) -> None:
    features = of_timm("vit_tiny_patch16_224", 64) if key == OF_TIMM else of_torchvision(64)
    weights = features.state_dict()
    if shape is not None:
        weights[key] = torch.randn(shape)
    found = resize_position_embeddings(weights, features)
    assert found.keys() == weights.keys()
    assert all(found[name].equal(value) for name, value in weights.items())


@pytest.mark.parametrize("name", ["resnet18", "timm/resnet10t"])
def test_other_networks_take_weights_as_they_are(name: str) -> None:
    features = make_network(name, 2, 32, 3).features
    weights = features.state_dict()
    found = resize_position_embeddings(weights, features)
    assert found.keys() == weights.keys()
    assert all(found[key] is value for key, value in weights.items())
