"""What tasks that turn an image into a fractal have in common: they are where a reconstruction can begin."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.ops import Transforms
from fractalgan.storage.checkpoints import as_checkpoint_error, read_checkpoint
from fractalgan.tasks.task import Task


class Encoder(Task, ABC):
    """A task whose network predicts a fractal from an image, in one pass.

    Its prediction can be the initial fractal of a Reconstruction: ``--model.start`` takes its checkpoint. Its
    hyperparameters have num_transforms, image_size and window.
    """

    @abstractmethod
    def encode(self, images: Tensor) -> Transforms:
        """The fractals A [B, N, 2, 2] and b [B, N, 2] of images [B, 1, H, W]."""

    @torch.no_grad()
    def guess(self, images: Tensor) -> Transforms:
        """The fractals of any number of images [n, 1, H, W], in evaluation mode and without gradients.

        Each is computed alone: in a batch, its numbers would be rounded by its place among the others.
        """
        self.eval()
        fractals = [self.encode(image.unsqueeze(0)) for image in images.to(self.device)]
        return Transforms(*(torch.cat(each) for each in zip(*fractals, strict=True)))

    def next_steps(self) -> dict[str, str]:
        sizes = self.sizes_for_next(
            image_size="data.size", num_transforms="model.num_transforms", window="model.window"
        )
        return {"use": f"fit --config reconstruction_32px.yaml --model.start {{best}}{sizes}"}


def read_encoder(path: Path, **expected: Any) -> Encoder:
    """The encoder in a checkpoint.

    Args:
        path: the checkpoint.
        expected: hyperparameters that it must have been trained with.

    Raises:
        InputError: where there is none, or another.
    """
    checkpoint = read_checkpoint(path)
    known = {task.__name__: task for task in Encoder.__subclasses__()}
    if checkpoint["task"] not in known:
        raise InputError(f"{path} is a checkpoint of {checkpoint['task']}, not of {' or '.join(known)}")
    with as_checkpoint_error(path):
        for name, value in expected.items():
            trained = checkpoint["hyper_parameters"][name]
            if trained != value:
                raise InputError(f"{path} was trained with {name} {trained}, not {value}")
        encoder: Encoder = known[checkpoint["task"]].load_from_checkpoint(
            path, map_location="cpu", weights_only=True
        )
        return encoder
