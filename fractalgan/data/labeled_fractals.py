"""What labeled fractals draw, to train a classifier; real images, to validate and test it."""

from typing import Literal

from torch import Tensor

from fractalgan.data.background import Invert
from fractalgan.data.channels import Channels
from fractalgan.data.datamodule import Batches, DataModule
from fractalgan.data.fractals import FractalData
from fractalgan.data.images import ImageData
from fractalgan.data.sources import SourceName
from fractalgan.data.split import SHARE
from fractalgan.data.synthetic import SYNTHETIC
from fractalgan.errors import InputError
from fractalgan.ops import SequenceKind
from fractalgan.storage.labels import require_same_classes, require_trainable
from fractalgan.storage.origin import require_held_out


class LabeledFractalData(DataModule):
    """Fresh images of labeled fractals for training, real images for validation and test.

    Batches are ``(images [B, C, size, size] float in [0, 1], classes [B])``. Training batches are an endless
    stream of images that are drawn anew, each fractal equally often; batch k follows from (seed, k). No real
    image is among them. Validation and test batches are those of ImageData with the same options. The classes
    of the fractals must be those of the real images.

    Args:
        fractals: labeled fractals: a name, such as digits-labeled; a file (.safetensors, .json); or a
            checkpoint or run folder of a task that learned them from labeled images.
        name: data set of the real images: digits, MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100, SVHN, or
            folder for your own images in one sub-folder per class.
        root: folder for downloads, by default ``data``; for ``folder``, the folder of the images themselves.
        size: height and width in pixels of all images.
        channels: 1 reads real images in grayscale, 3 in color; ``auto`` in color if at least half of them
            are. The fractals must draw the same kind.
        background: color that transparent images of your own are put on, as for ImageData.
        binarize: threshold above which pixels of real images become 1, and 0 below; null keeps all levels;
            auto is 0.5 in grayscale.
        invert: whether to invert real images in grayscale, as for ImageData.
        validation_share: fraction of the real training images that are kept for validation.
        test_share: fraction of all real images held out for testing, if the data set has no test images.
        ignore_invalid: whether to skip image files that cannot be read, instead of stopping at the first.
        num_points: number of points per image (T); null uses that of the fractals, and scales with the size.
        tau: squared width of a point, in pixels^2; null uses that of each fractal, and scales with the size.
        jitter: std of the Gaussian noise that is added to A, b and colors anew for each image, so that images
            of one fractal vary; null uses that of the fractals.
        sequences: random index sequences, or even ones, with which images vary less; null uses those of the
            fractals.
        batch_size: batch size per process.
        num_workers: number of processes that draw the images; the images do not depend on it.
        seed: random seed of images and order; defaults to --seed_everything.
        fractals_copy: file with the same fractals, such as a run's own copy, which is read instead of
            ``fractals`` if it exists.

    Raises:
        InputError: for fractals without labels, and for an option that is out of range; by ``setup`` for
            other classes or channels than those of the real images.
    """

    def __init__(
        self,
        fractals: str | None = None,
        name: SourceName = "digits",
        root: str | None = None,
        size: int = 32,
        channels: Channels = "auto",
        background: str | None = None,
        binarize: float | Literal["auto"] | None = None,
        invert: Invert = "auto",
        validation_share: float = SHARE,
        test_share: float = SHARE,
        ignore_invalid: bool = False,
        num_points: int | None = None,
        tau: float | None = None,
        jitter: float | None = None,
        sequences: SequenceKind | None = None,
        batch_size: int = 100,
        num_workers: int = 0,
        seed: int = 0,
        fractals_copy: str | None = None,
    ) -> None:
        super().__init__()
        if fractals is None or fractals in SYNTHETIC:
            raise InputError(
                "set --data.fractals to labeled fractals: learn some with fit --config labeled_fractals.yaml"
            )
        self.source = fractals
        self.size = size
        self.batch_size = batch_size
        self.real = ImageData(
            name,
            root,
            size,
            channels,
            background,
            batch_size,
            binarize,
            invert,
            validation_share,
            test_share,
            ignore_invalid=ignore_invalid,
        )
        self.drawn = FractalData(
            fractals,
            num_fractals=None,
            labels="class",
            images_per_class=1,
            fresh=True,
            size=size,
            num_points=num_points,
            tau=tau,
            jitter=jitter,
            sequences=sequences,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
            fractals_copy=fractals_copy,
        )
        self.classes: list[str] = []

    @property
    def channels(self) -> int | None:
        """The channels of all images, set by ``setup``."""
        return self.real.channels

    def source_options(self) -> dict[str, str]:
        """Options that read the same real images: those that differ from the defaults, as typed."""
        return self.real.source_options()

    def prepare_data(self) -> None:
        self.real.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        self.real.setup(stage)
        assert self.real.channels is not None
        generator = self.drawn.generator
        labels, classes = generator.embedding.labels, generator.embedding.classes
        require_same_classes(classes, self.real.classes, self.source, self.real.source)
        require_trainable(labels, classes, self.source)
        require_held_out(generator.provenance, self.real.origin(), self.source)
        self.drawn.require_channels(self.real.channels, self.real.source)
        self.drawn.setup(stage)
        self.classes = self.real.classes

    def train_dataloader(self) -> Batches:
        self.drawn.trainer = self.trainer
        return self.drawn.train_dataloader()

    def val_dataloader(self) -> Batches:
        return self.real.val_dataloader()

    def test_dataloader(self) -> Batches:
        return self.real.test_dataloader()

    def sample(self, count: int) -> Tensor:
        """Up to ``count`` images [n, C, size, size] of the fractals, one of each at first."""
        return self.drawn.sample(count)

    def _is_set_up(self) -> bool:
        return bool(self.classes)

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {"fractals": self.source, "num_fractals": self.drawn.num_fractals}
        facts |= {"name": self.real.source, "size": self.size, "batch_size": self.batch_size}
        return facts | ({"classes": len(self.classes)} if self.classes else {})
