"""Pre-trained backbones: the network of a task that follows from a file, and the weights in it."""

import logging
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.nn import Network
from fractalgan.nn.backbones import weight_names
from fractalgan.nn.networks import NETWORKS, WITH_WIDTH
from fractalgan.nn.position_embeddings import resize_position_embeddings
from fractalgan.storage import BackboneFile, read_backbone
from fractalgan.tasks.channels import match_channels
from fractalgan.tasks.protocols import datamodule_of
from fractalgan.tasks.task import Task

log = logging.getLogger(__name__)

KIND = ("network", "width", "small_stem")  # options that say what a network is
HEAD = 2  # tensors of a linear head, which a file of weights may have besides


class BackboneTask(Task):
    """A task whose network may start from the weights of a pre-trained backbone.

    Attributes:
        network: whose features they become.
        awaits_backbone: whether they are loaded before the first step.
    """

    network: Network
    awaits_backbone: bool = False

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.awaits_backbone = False  # the checkpoint has its weights, and their file may be gone

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if self.awaits_backbone:
            source = getattr(datamodule_of(self.trainer), "source", "the loader")
            load_backbone_(self.network, self.hparams, source)


def follow_backbone_(options: MutableMapping[str, Any], backbone: str | None, default: str) -> None:
    """Let the options of a network that are null be those of a pre-trained backbone.

    Args:
        options: the hyperparameters of a task: ``network``, ``width`` and ``small_stem``.
        backbone: as for :func:`read_backbone`; None for random weights. One that is gone is not read: the
            checkpoint of a task that was trained before has its weights.
        default: the network without a backbone.

    Raises:
        InputError: if the file cannot be read, or does not say of which network it is.
    """
    known: Mapping[str, Any] = {"network": default}
    if options["network"] is None and backbone is not None and Path(backbone).exists():
        known = read_backbone(backbone).network
        if not known:
            raise InputError(f"{backbone} does not say what network it is of: set --model.network")
    for name in KIND:
        options[name] = known.get(name) if options[name] is None else options[name]
    options["small_stem"] = bool(options["small_stem"])


def load_backbone_(network: Network, options: Mapping[str, Any], source: str) -> None:
    """Load the weights of a pre-trained backbone; position embeddings are interpolated to the image size.

    Args:
        network: whose features they become.
        options: the hyperparameters of a task: its ``backbone``, and what the network is.
        source: where the images come from.

    Raises:
        InputError: for weights of another network, or of one for other images.
    """
    backbone = options["backbone"]
    content = read_backbone(backbone)
    if content.network and (other := _different(content.network, options)):
        found = content.network[other]
        raise InputError(
            f"{backbone} has the weights of {_described(content.network)}, not of {_described(options)}:"
            f" set --model.{other} to {'null' if found is None else str(found).lower()}"
        )
    if content.network and not network.any_channels:
        match_channels(dict(content.network), options["channels"], source)
    expected = network.features.state_dict()
    _require_same_names(content.weights, expected, options)
    weights = resize_position_embeddings({name: content.weights[name] for name in expected}, network.features)
    for name, value in expected.items():
        if weights[name].shape != value.shape:
            raise InputError(_other_shape(content, name, value, backbone))
    if any(weights[name].shape != content.weights[name].shape for name in expected):
        log.info("the position embeddings of %s were interpolated to the size of the images", backbone)
    network.features.load_state_dict(weights)


def _different(found: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
    """The first option by which two networks differ; None if they are the same."""
    default = {"width": WITH_WIDTH.get(options["network"])}
    return next(
        (name for name in KIND if (found[name] or default.get(name)) != (options[name] or default.get(name))),
        None,
    )


def _require_same_names(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], options: Mapping[str, Any]
) -> None:
    """Raise InputError for weights of another network; those of a head are not counted."""
    missing, others = expected.keys() - weights.keys(), weights.keys() - expected.keys()
    if len(others) > HEAD and options["network"] not in NETWORKS:
        others -= weight_names(options["network"])  # such as auxiliary heads
    if missing or len(others) > HEAD:
        found = ", ".join(sorted(others)[:2]) or "nothing else"
        example = f"there is no {min(missing)} in it, but {found}" if missing else f"{found} would be left"
        raise InputError(
            f"{options['backbone']} has the weights of another network than {_described(options)}"
            f" ({example}): set --model.network to its own"
        )


def _other_shape(content: BackboneFile, name: str, expected: Tensor, backbone: str) -> str:
    size = content.network.get("image_size")
    if size is not None:
        return f"{backbone} was trained on images of {size} pixels: set --data.size {size}"
    found = content.weights[name]
    return (
        f"{backbone} has a {name} of shape {list(found.shape)}, but the network needs"
        f" {list(expected.shape)}: set --data.size, --model.small_stem and --model.network to its own"
    )


def _described(options: Mapping[str, Any]) -> str:
    """Such as "resnet18 with a small stem"."""
    width = f" of width {options['width']}" if options["width"] is not None else ""
    return f"{options['network']}{width}{' with a small stem' if options['small_stem'] else ''}"
