"""Networks that classify images, by name. A new one is one line in NETWORKS."""

from collections.abc import Callable
from typing import Literal

from fractalgan.errors import InputError, require_choice
from fractalgan.limits import require_sizes
from fractalgan.nn.convnet import ConvNet
from fractalgan.nn.lenet import LeNet
from fractalgan.nn.network import Network

NetworkName = Literal["lenet", "convnet"]

DEFAULT_WIDTH = 32  # of a ConvNet: a quarter of the usual one, which takes ten times as long on a CPU


# Each takes the number of outputs, the image size and the channels; those with a width take it as well.
NETWORKS: dict[NetworkName, Callable[..., Network]] = {"lenet": LeNet, "convnet": ConvNet}
WITH_WIDTH = {"convnet": DEFAULT_WIDTH}


def make_network(
    name: NetworkName, outputs: int, image_size: int, channels: int, width: int | None = None
) -> Network:
    """A network with random weights.

    Args:
        name: ``lenet`` or ``convnet``.
        outputs: width of the head.
        image_size: H = W, in pixels.
        channels: channels of the input.
        width: channels of the layers of a ConvNet; None is 32.

    Raises:
        InputError: for another name, images that are too small, or a width without effect.
    """
    require_choice(NetworkName, network=name)
    if name not in WITH_WIDTH:
        if width is not None:
            raise InputError(f"width must be null for a {name}, which has no width, got {width}")
        return NETWORKS[name](outputs, image_size, channels)
    width = WITH_WIDTH[name] if width is None else width
    require_sizes(width=width)
    return NETWORKS[name](outputs, image_size, channels, width=width)
