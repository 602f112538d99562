"""A backbone as a program of its own: a graph of ONNX or of torch.export, from images to features."""

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from fractalgan.errors import InputError, require_extra
from fractalgan.nn.network import Network
from fractalgan.nn.networks import network_of
from fractalgan.storage.atomic import atomic_path
from fractalgan.storage.backbone_file import BackboneFile, write_backbone

BATCH = 2  # images of the example that a graph is traced with; any number can be given to it


class Features(nn.Module):
    """The features of a network, as a module whose ``forward`` makes them."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] in [0, 1] -> features [B, D]."""
        return self.network.embed(images)


def backbone_module(content: BackboneFile) -> Features:
    """A backbone with its weights, in evaluation mode."""
    network = network_of(content.network, 1)
    network.features.load_state_dict(content.weights)
    return Features(network).eval()


def export_backbone(content: BackboneFile, path: Path, source: str) -> None:
    """Write a backbone in the format of the path's suffix, atomically.

    Args:
        content: the weights, and what network they are of.
        path: ends in ``.onnx``, for ONNX Runtime and others; in ``.pt2``, for ``torch.export.load``; or in
            ``.safetensors``, for the weights alone.
        source: where they come from, for messages.

    Raises:
        InputError: for another suffix, a file that does not say of which network it is, or a missing package.
    """
    suffix = path.suffix.lower()
    if suffix not in BACKBONE_FORMATS:
        *others, last = BACKBONE_FORMATS
        raise InputError(f"a file of a backbone must end in {', '.join(others)} or {last}, got {path}")
    if not content.network:
        raise InputError(
            f"{source} does not say what network it is of: use a run or a checkpoint of Pretraining"
        )
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own exporters
        BACKBONE_FORMATS[suffix](content, temporary)


def _write_onnx(content: BackboneFile, path: Path) -> None:
    require_extra("onnx", "ONNX")
    torch.onnx.export(
        backbone_module(content),
        (_example(content),),
        str(path),
        dynamo=True,
        dynamic_shapes=({0: "batch"},),
        input_names=["images"],
        output_names=["features"],
        external_data=False,
        verbose=False,
    )


def _write_graph(content: BackboneFile, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1)
    module, example = backbone_module(content), (_example(content),)
    program = torch.export.export(module, example, dynamic_shapes=({0: batch},))
    with path.open("wb") as file:
        torch.export.save(program, file)


def _example(content: BackboneFile) -> Tensor:
    size = content.network["image_size"]
    return torch.zeros(BATCH, content.network["channels"] or 1, size, size)


# How a backbone is written, by suffix.
BACKBONE_FORMATS: dict[str, Callable[[BackboneFile, Path], None]] = {
    ".safetensors": lambda content, path: write_backbone(path, content),
    ".onnx": _write_onnx,
    ".pt2": _write_graph,
}
