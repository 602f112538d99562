"""Learning rates by layer."""

import pytest
import torch

from fractalgan.nn import layer_groups, make_network
from fractalgan.nn.layer_rates import layers_of


@pytest.mark.parametrize(
    ("name", "first", "last", "count"),
    [
        ("lenet", "0", "9", 4),
        ("resnet18", "stem", "layer4.1", 9),
        ("vit_b_32", "stem", "end", 14),
        ("timm/vit_tiny_patch16_224", "stem", "end", 14),
        ("convnext_tiny", "features.0.0", "features.7.2", 4 + 3 + 3 + 9 + 3),  # no norm is a layer
        ("timm/swin_tiny_patch4_window7_224", "stem", "end", 2 + 2 + 2 + 6 + 2 + 3),  # downsampling thrice
    ],
)
def test_layers_are_blocks_in_order(name: str, first: str, last: str, count: int) -> None:
    features = make_network(name, 2, 64, 1).features
    layers = layers_of(features)
    names = [*layers]
    assert (names[0], names[-1], len(names)) == (first, last, count)
    assert sum(map(len, layers.values())) == len([*features.parameters()])


def test_rates_fall_towards_the_input() -> None:
    network = make_network("lenet", 3, 32, 1)
    *layers, head = layer_groups(network, lr=1.0, layer_decay=0.5, head_lr=7.0)
    assert [each["lr"] for each in layers] == [0.125, 0.25, 0.5, 1.0]
    assert head["lr"] == 7
    assert head["params"] == [*network.head.parameters()]
    grouped = [parameter for each in [*layers, head] for parameter in each["params"]]
    assert {id(each) for each in grouped} == {id(each) for each in network.parameters()}
    torch.optim.AdamW([*layers, head])
