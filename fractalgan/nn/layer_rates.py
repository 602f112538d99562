"""Learning rates that fall from layer to layer, from the head down to the input."""

from typing import Any

from torch import nn

from fractalgan.nn.network import Network


def layer_groups(network: Network, lr: float, layer_decay: float, head_lr: float) -> list[dict[str, Any]]:
    """Parameter groups of an optimizer with a learning rate for each layer (Clark et al. 2020, ELECTRA).

    Args:
        network: its features, and their head.
        lr: learning rate of the last layer below the head.
        layer_decay: factor from each layer to the one below it.
        head_lr: learning rate of the head.

    Returns:
        A group per layer, from the input up, and one for the head: ``{"params": [...], "lr": lr}``.
    """
    layers = layers_of(network.features)
    groups = [
        {"params": parameters, "lr": lr * layer_decay**depth}
        for depth, parameters in zip(reversed(range(len(layers))), layers.values(), strict=True)
    ]
    return [*groups, {"params": [*network.head.parameters()], "lr": head_lr}]


def layers_of(module: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The parameters of a network by layer, in their order: ``conv1``, ..., ``layer1.0``, ``layer1.1``, ...

    A layer is an entry of a ``Sequential`` or a ``ModuleList``, such as a residual or a transformer block, or
    a part of the network outside of all of them.
    """
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        layers.setdefault(_layer_of(module, name), []).append(parameter)
    return layers


def _layer_of(module: nn.Module, name: str) -> str:
    parts = name.split(".")
    for number, part in enumerate(parts):
        if isinstance(module, nn.Sequential | nn.ModuleList):
            return ".".join(parts[: number + 1])
        module = getattr(module, part)
    return parts[0]
