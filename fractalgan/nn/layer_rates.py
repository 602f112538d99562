"""Learning rates that fall from layer to layer, from the head down to the input."""

from typing import Any

from torch import nn

from fractalgan.nn.network import Network

BLOCKS = "blocks"  # what stages of timm's networks call the list of theirs


def layer_groups(network: Network, lr: float, layer_decay: float, head_lr: float) -> list[dict[str, Any]]:
    """Parameter groups of an optimizer with a learning rate for each layer (Clark et al. 2020, ELECTRA).

    Args:
        network: its features, and their head.
        lr: learning rate of the last layer below the head.
        layer_decay: factor from each layer to the one below it.
        head_lr: learning rate of the head.

    Returns:
        Groups with ``params`` and ``lr`` for each layer, from the input up, and for the head.
    """
    layers = layers_of(network.features)
    groups = [
        {"params": parameters, "lr": lr * layer_decay**depth}
        for depth, parameters in zip(reversed(range(len(layers))), layers.values(), strict=True)
    ]
    return [*groups, {"params": [*network.head.parameters()], "lr": head_lr}]


def layers_of(module: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The parameters of a network by layer, from the input up: ``stem``, ``layer1.0``, ``layer1.1``, ...

    A layer is a block: an entry of a ``Sequential`` or a ``ModuleList``, or of the ``blocks`` of such an
    entry. What comes before the first block is one layer, the stem, and so is what comes after the last.
    An entry that only normalizes belongs to the one before it.
    """
    layers: dict[str, list[nn.Parameter]] = {}
    outside = "stem"
    for name, parameter in module.named_parameters():
        block = _block_of(module, name)
        if block is not None:
            outside = "end"
        layers.setdefault(block or outside, []).append(parameter)
    return _with_norms(layers)


def _with_norms(layers: dict[str, list[nn.Parameter]]) -> dict[str, list[nn.Parameter]]:
    """The layers, with blocks that have vectors only as a part of the block before."""
    merged: dict[str, list[nn.Parameter]] = {}
    for name, parameters in layers.items():
        only_vectors = all(parameter.ndim == 1 for parameter in parameters)
        before = next(reversed(merged), None)
        if before is not None and only_vectors and name != "end":
            merged[before].extend(parameters)
        else:
            merged[name] = parameters
    return merged


def _block_of(module: nn.Module, name: str) -> str | None:
    """The path of the block that a parameter belongs to; None if it is in no list."""
    parts, found = name.split("."), None
    for number, part in enumerate(parts):
        if isinstance(module, nn.Sequential | nn.ModuleList):
            found = ".".join(parts[: number + 1])
        elif found is not None and part != BLOCKS:
            break
        module = getattr(module, part)
    return found
