"""Networks that classify images, by name. A new one of ours is one line in NETWORKS."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from fractalgan.errors import InputError, as_input_error
from fractalgan.limits import require_sizes
from fractalgan.nn.backbones import Backbone, require_known_network
from fractalgan.nn.convnet import ConvNet
from fractalgan.nn.lenet import LeNet
from fractalgan.nn.network import Network

NetworkName = Literal["lenet", "convnet"]

DEFAULT_WIDTH = 32  # of a ConvNet: a quarter of the usual one, which takes ten times as long on a CPU


# Each takes the number of outputs, the image size and the channels; those with a width take it as well.
NETWORKS: dict[str, Callable[..., Network]] = {"lenet": LeNet, "convnet": ConvNet}
WITH_WIDTH = {"convnet": DEFAULT_WIDTH}


def make_network(
    name: str,
    outputs: int,
    image_size: int,
    channels: int,
    width: int | None = None,
    small_stem: bool = False,
) -> Network:
    """A network with random weights.

    Args:
        name: ``lenet``, ``convnet``, or a network of torchvision or timm, as for :class:`Backbone`.
        outputs: width of the head.
        image_size: H = W, in pixels.
        channels: channels of the input; a Backbone takes any.
        width: channels of the layers of a ConvNet; None is 32.
        small_stem: whether the first layers of a Backbone are made for small images.

    Raises:
        InputError: for another name, images of a size that it does not take, a width or a small stem without
            effect.
    """
    if name not in NETWORKS:
        require_known_network(name, tuple(NETWORKS))
    if width is not None and name not in WITH_WIDTH:
        raise InputError(f"width must be null for a {name}, which has a fixed one, got {width}")
    if name not in NETWORKS:
        return Backbone(name, outputs, image_size, small_stem)
    if small_stem:
        raise InputError(f"small_stem must be false for a {name}, which is made for small images, got true")
    if name not in WITH_WIDTH:
        return NETWORKS[name](outputs, image_size, channels)
    width = WITH_WIDTH[name] if width is None else width
    require_sizes(width=width)
    return NETWORKS[name](outputs, image_size, channels, width=width)


def network_of(options: Mapping[str, Any], outputs: int) -> Network:
    """The network of a task's hyperparameters, or of a file of a backbone, with random weights.

    Args:
        options: ``network``, ``width``, ``small_stem``, ``image_size``, and ``channels``, None for 1.
        outputs: width of the head.

    Raises:
        InputError: as :func:`make_network`.
    """
    sizes = options["image_size"], options["channels"] or 1
    with as_input_error():
        return make_network(
            options["network"], outputs, *sizes, options["width"], small_stem=options["small_stem"]
        )
