"""The ConvNet against plain functions of torch, and networks by name."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.nn import NETWORKS, ConvNet, LeNet, make_network


def by_functions(net: ConvNet, images: Tensor) -> Tensor:
    """The same network, from the field's description of it."""
    weights = iter(net.parameters())
    for _ in range(3):
        images = F.conv2d(images, next(weights), next(weights), padding=1)
        images = F.instance_norm(images, weight=next(weights), bias=next(weights))
        images = F.avg_pool2d(F.relu(images), 2)
    return F.linear(images.flatten(1), next(weights), next(weights))


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (28, 1), (32, 3)])
def test_convnet_is_three_blocks_and_a_head(size: int, channels: int) -> None:
    net = ConvNet(5, size, channels, width=6)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    images = torch.rand(4, channels, size, size)
    torch.testing.assert_close(net(images), by_functions(net, images), rtol=1e-4, atol=1e-4)
    assert net.embed(images).shape == (4, net.num_features)
    assert net.num_features == 6 * (size // 8) ** 2


def test_sizes_are_those_of_the_field() -> None:
    assert sum(each.numel() for each in ConvNet(10, 32, 3).parameters()) == 320_010  # as in its papers
    assert sum(each.numel() for each in ConvNet(10).parameters()) == 317_706
    assert sum(each.numel() for each in make_network("convnet", 10, 32, 1).parameters()) == 24_138


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_one_interface(name: str) -> None:
    net = make_network(name, 7, 16, 3)  # type: ignore[arg-type]
    images = torch.rand(2, 3, 16, 16)
    features = net.embed(images)  # type: ignore[operator]
    assert features.shape == (2, net.num_features)
    assert net.head(features).equal(net(images))  # type: ignore[operator]
    assert net(images).shape == (2, 7)


def test_networks_are_made_by_name() -> None:
    assert isinstance(make_network("lenet", 2, 16, 1), LeNet)
    wide = make_network("convnet", 2, 16, 1, width=128)
    assert wide.num_features == 128 * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "resnet"}, "network must be lenet, convnet, a model of torchvision"),
        ({"name": "lenet", "width": 32}, "width must be null for a lenet, which has a fixed one, got 32"),
        ({"image_size": 7}, "image_size must be >= 8 for a ConvNet, got 7"),
        ({"name": "lenet", "image_size": 15}, "image_size must be >= 16 for a LeNet, got 15"),
        ({"width": 0}, "width must be >= 1, got 0"),
        ({"width": 2000}, "width must be <= 1024, got 2000"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_network(**{"name": "convnet", "outputs": 2, "image_size": 32, "channels": 1} | options)
