"""Real images for every task: named data sets or the user's own, grey, in [0, 1], of one size."""

import logging
from pathlib import Path

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan.data.image_set import ImageSet, Threshold
from fractalgan.data.sources import SourceName, check_name, fetch, load
from fractalgan.data.stream import EndlessBatches, Place
from fractalgan.errors import InputError
from fractalgan.limits import require_sizes
from fractalgan.randomness import generator_for

log = logging.getLogger(__name__)

Batches = DataLoader[tuple[Tensor, Tensor]]

# The split is the same for every seed of a run: what is kept for testing is never trained on.
SPLIT_SEED = 2303


class ImageData(LightningDataModule):
    """Batches ``(images [B, 1, size, size] float in [0, 1], labels [B], -1 for none)`` of real images.

    Training batches come in an endless stream: training is counted in steps, not in epochs.

    Args:
        name: the data set: ``digits`` comes with the install; ``MNIST``, ``FashionMNIST`` and ``KMNIST``
            are downloaded on first use; ``folder`` is your own images in ``root``.
        root: where downloads are kept; for ``folder`` the folder of the images itself, with one
            sub-folder a class, or flat, without labels.
        size: height and width in pixels; all images are resized to it.
        batch_size: images a batch (and process).
        binarize: images become 1 above this level and 0 below; null keeps them grey. Fractals are
            nearly binary, so the discriminator needs it.
        invert: for dark drawings on a bright ground; fractals are drawn bright on dark.
        validation_share: of the training images, kept from training for validation.
        test_share: of all images, kept for the test, where the source has no test set of its own.
        seed: of the order of the training batches; follows --seed_everything.
    """

    def __init__(
        self,
        name: SourceName = "digits",
        root: str = "data",
        size: int = 32,
        batch_size: int = 100,
        binarize: float | None = 0.5,
        invert: bool = False,
        validation_share: float = 0.1,
        test_share: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_name(name)
        require_sizes(size=size, batch_size=batch_size)
        if binarize is not None and not 0 <= binarize < 1:
            raise InputError(f"binarize: want a level in [0, 1), or null for grey images, got {binarize}")
        for option, share in {"validation_share": validation_share, "test_share": test_share}.items():
            if not 0 < share < 0.5:
                raise InputError(f"{option}: want a share between 0 and 0.5, got {share}")
        self.source = name
        self.root = Path(root).expanduser()
        self.size = size
        self.batch_size = batch_size
        self.prepare = Threshold(binarize, invert)
        self.validation_share = validation_share
        self.test_share = test_share
        self.seed = seed
        self.classes: list[str] = []
        self.train_images: ImageSet | None = None
        self.validation_images: ImageSet | None = None
        self.test_images: ImageSet | None = None

    def prepare_data(self) -> None:
        fetch(self.source, self.root)

    def setup(self, stage: str | None = None) -> None:
        if self.train_images is not None:
            return
        train, test, self.classes = load(self.source, self.root, self.size)
        if test is None:
            train, test = _split(train, self.test_share)
        train, validation = _split(train, self.validation_share)
        for images in (train, validation, test):
            images.prepare = self.prepare
        sample, _ = train[list(range(min(len(train), 1000)))]
        warn_of_brightness(sample, self.prepare)
        self.train_images, self.validation_images, self.test_images = train, validation, test

    def train_dataloader(self) -> Batches:
        assert self.train_images is not None
        stream = EndlessBatches(self.train_images, self.batch_size, Place.of(self.seed, self.trainer))
        return DataLoader(stream, batch_size=None)

    def val_dataloader(self) -> Batches:
        assert self.validation_images is not None
        return DataLoader(self.validation_images, batch_size=self.batch_size)

    def test_dataloader(self) -> Batches:
        assert self.test_images is not None
        return DataLoader(self.test_images, batch_size=self.batch_size)


def warn_of_brightness(images: Tensor, prepare: Threshold) -> None:
    """Say what would make the training fail for a reason that is seen at a glance."""
    share = images.mean().item()
    if share > 0.6:
        log.warning(
            "the images are mostly bright (mean %.2f), fractals are drawn bright on dark:"
            " --data.invert %s turns them round",
            share,
            str(not prepare.invert).lower(),
        )
    if share < 0.005:
        log.warning("the images are nearly black (mean %.3f): is --data.binarize too high?", share)


def _split(images: ImageSet, share: float) -> tuple[ImageSet, ImageSet]:
    """Keep a share of the images, at least two, apart: (the rest, the part)."""
    if len(images) < 3:
        raise InputError("too few images: 5 are the least, two each are kept for validation and test")
    order = torch.randperm(len(images), generator=generator_for(SPLIT_SEED))
    count = max(2, round(share * len(images)))
    return images.select(order[count:]), images.select(order[:count])
