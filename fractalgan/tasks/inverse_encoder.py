"""InverseEncoder: guess the fractal of an image at once (the baseline of Tu et al., Table 1, row B)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet18

from fractalgan.cadence import is_logged
from fractalgan.errors import InputError, blame_input, require_above
from fractalgan.limits import require_sizes
from fractalgan.ops import Transforms, check_view
from fractalgan.tasks.task import Task


class InverseEncoder(Task):
    """A ResNet-18 that regresses the maps of a system from its image.

    Batches are ``(images [B, 1, H, W] in [0, 1], maps [B, N, 6])``, as SystemData gives them. What it guesses
    is a start for Reconstruction: ``--model.start`` takes its checkpoint.

    Args:
        num_transforms: N, the affine maps of a system.
        image_size: height and width in pixels; follows the data.
        window: half the side of the square of the plane that the images show.
        lr: Adam's learning rate.
    """

    monitor = "val/loss"  # the lowest is the best checkpoint

    def __init__(
        self, num_transforms: int = 10, image_size: int = 32, window: float = 2.5, lr: float = 1e-3
    ) -> None:
        super().__init__()
        require_sizes(num_transforms=num_transforms, image_size=image_size)
        require_above(0, lr=lr)
        with blame_input():
            check_view((image_size, image_size), window, 1.0)
        self.save_hyperparameters()
        self.network = resnet18(num_classes=6 * num_transforms)
        self.network.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Maps [B, N, 6] of images [B, 1, H, W]: A row by row, then b, the largest determinant first."""
        maps: Tensor = self.network(images).view(len(images), -1, 6)
        return maps

    @torch.no_grad()
    def guess(self, images: Tensor) -> Transforms:
        """The systems of images [B, 1, H, W], each looked at by itself: no result depends on the others."""
        self.eval()
        maps = torch.cat([self(image.unsqueeze(0)) for image in images])
        return Transforms(maps[..., :4].view(*maps.shape[:2], 2, 2), maps[..., 4:])

    def setup(self, stage: str) -> None:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not hasattr(data, "systems"):
            raise InputError("InverseEncoder learns from random systems: give --data fractalgan.SystemData")
        for name in ("num_transforms", "window"):
            if getattr(data, name) != self.hparams[name]:
                raise InputError(f"model.{name} is {self.hparams[name]}: give the data as much")

    def configure_optimizers(self) -> torch.optim.Adam:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], fused=True)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, maps = batch
        loss = F.mse_loss(self(images), maps)
        self.require_finite("the loss", loss)
        if is_logged(self.trainer, self.global_step + 1):
            self.log("train/loss", loss, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, maps = batch
        self.log("val/loss", F.mse_loss(self(images), maps), sync_dist=True)
