"""What tasks that turn an image into a fractal have in common: they are where a reconstruction can begin."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from fractalgan.ops import Transforms
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
    def predict(self, images: Tensor) -> Transforms:
        """The fractals of any number of images [n, 1, H, W], in evaluation mode and without gradients.

        Each is computed alone: in a batch, its numbers would be rounded by its place among the others.
        """
        was_training = self.training
        self.eval()
        images = images.to(next(self.parameters()))
        fractals = [self.encode(image) for image in torch.split(images, 1)]  # of no images, one empty part
        self.train(was_training)
        return Transforms(*(torch.cat(each) for each in zip(*fractals, strict=True)))

    def next_steps(self) -> dict[str, str]:
        sizes = self.sizes_for_next(
            image_size="data.size", num_transforms="model.num_transforms", window="model.window"
        )
        return {"reconstruct": f"fit --config reconstruction_32px.yaml --model.start {{best}}{sizes}"}
