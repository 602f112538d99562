"""InverseEncoder: learn the transforms of random fractals from their images (Tu et al., Table 1, row B)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet18

from fractalgan.errors import InputError, as_input_error, require_above
from fractalgan.limits import require_sizes
from fractalgan.ops import Transforms, check_view
from fractalgan.tasks.encoder import Encoder
from fractalgan.tasks.log_interval import should_log
from fractalgan.tasks.protocols import RandomFractals, datamodule_of


class InverseEncoder(Encoder):
    """A ResNet-18 that regresses the transforms of a fractal from its image.

    Batches are ``(images [B, 1, H, W] in [0, 1], transforms [B, N, 6])``, as RandomFractalData yields them.
    Many fractals look alike, so that the error of transforms says little of that of images: see
    FractalAutoencoder, which is trained by the latter.

    Args:
        num_transforms: number of affine transforms per fractal (N).
        image_size: height and width in pixels; set by --data.size.
        window: half the side length of the square region of the plane that the images show.
        lr: learning rate of Adam.
    """

    monitor = "val/loss"
    run_name = "encoder"

    def __init__(
        self, num_transforms: int = 10, image_size: int = 32, window: float = 2.5, lr: float = 1e-3
    ) -> None:
        super().__init__()
        require_sizes(num_transforms=num_transforms, image_size=image_size)
        require_above(0, lr=lr)
        with as_input_error():
            check_view((image_size, image_size), window, 1.0)
        self.save_hyperparameters()
        self.network = resnet18(num_classes=6 * num_transforms)
        self.network.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Transforms [B, N, 6] of images [B, 1, H, W]: A row by row, then b, largest determinant first."""
        transforms: Tensor = self.network(images).unflatten(1, (-1, 6))
        return transforms

    def encode(self, images: Tensor) -> Transforms:
        transforms = self(images)
        return Transforms(transforms[..., :4].view(*transforms.shape[:2], 2, 2), transforms[..., 4:])

    def setup(self, stage: str) -> None:
        super().setup(stage)
        data = datamodule_of(self.trainer)
        if not isinstance(data, RandomFractals):
            raise InputError("InverseEncoder needs random fractals: use --data fractalgan.RandomFractalData")
        for name in ("num_transforms", "window"):
            of_data, expected = getattr(data, name), self.hparams[name]
            if of_data != expected:
                raise InputError(f"--data.{name} must be {expected}, as --model.{name}, got {of_data}")

    def configure_optimizers(self) -> torch.optim.Adam:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, transforms = batch
        loss = F.mse_loss(self(images), transforms)
        self.require_finite("the loss", loss)
        if should_log(self.trainer, self.global_step + 1):
            self.log("train/loss", loss, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, transforms = batch
        self.log("val/loss", F.mse_loss(self(images), transforms), sync_dist=True)
