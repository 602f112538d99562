"""Training of a small network within a callback."""

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fractalgan.randomness import torch_seeded

LEARNING_RATE = 1e-3

Module = TypeVar("Module", bound=nn.Module)


def trained_network(
    make: Callable[[], Module], batch: Callable[[int], tuple[Tensor, Tensor]], steps: int, *key: int
) -> Module:
    """A network that was trained to classify images, by Adam.

    Args:
        make: makes the network, on the device of the images.
        batch: the images and classes of a step.
        steps: training steps.
        key: what its first weights follow from.

    Returns:
        The network, without gradients.
    """
    with torch_seeded(*key), torch.inference_mode(False), torch.enable_grad():
        network = make()
        optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
        for step in range(steps):
            images, classes = batch(step)
            optimizer.zero_grad()
            loss = F.cross_entropy(network(images), classes)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.requires_grad_(False)
