"""Networks of different ages, on whose features drawn and real images are compared."""

from collections.abc import Callable
from typing import cast

import torch
from torch import nn
from torch.optim import Optimizer

from fractalgan.nn.network import Network
from fractalgan.randomness import torch_seeded


class NetworkPool(nn.Module):
    """Networks that are trained in turn, each replaced by a new one when it is old (Zhou et al. 2022, FRePo).

    Features of networks of one age would be good for that age only.

    Args:
        make: makes a network with random weights.
        count: number of networks.
        max_age: number of training steps after which a network is replaced.
    """

    ages: torch.Tensor  # [count] int64

    def __init__(self, make: Callable[[], Network], count: int, max_age: int) -> None:
        super().__init__()
        self.make, self.max_age = make, max_age
        self.networks = nn.ModuleList(make() for _ in range(count))
        # staggered, so that they are not all replaced at once
        self.register_buffer("ages", torch.arange(count) * max_age // count)

    def __len__(self) -> int:
        return len(self.networks)

    def __getitem__(self, number: int) -> Network:
        return cast(Network, self.networks[number])

    def extra_repr(self) -> str:
        return f"max_age={self.max_age}"

    def grow_(self, number: int, optimizer: Optimizer, *key: int) -> None:
        """Count a training step of a network; one that is too old is replaced by a new one.

        Args:
            number: which one.
            optimizer: whose state for its parameters is then forgotten.
            key: what the random weights of the new one follow from.
        """
        self.ages[number] += 1
        if self.ages[number] < self.max_age:
            return
        network = self[number]
        with torch_seeded(*key):
            network.load_state_dict(self.make().state_dict())
        for parameter in network.parameters():
            optimizer.state.pop(parameter, None)
        self.ages[number] = 0
