"""Real images for every task: named data sets or the user's own, in [0, 1], of one size and kind."""

import logging
from typing import Any, Literal

from torch import Tensor
from torch.utils.data import DataLoader

from fractalgan.data.background import (
    Invert,
    require_background,
    require_contrast,
    require_invert,
    resolve_invert,
    warn_of_brightness,
)
from fractalgan.data.channels import Channels, require_channels, require_grayscale
from fractalgan.data.datamodule import Batches, DataModule
from fractalgan.data.downloads import DOWNLOADED, fetch
from fractalgan.data.exemplars import Exemplars
from fractalgan.data.image_set import ImageSet, Source, Threshold, first_images
from fractalgan.data.pictures import Reading
from fractalgan.data.sources import DEFAULT_ROOT, SourceName, load, source_root
from fractalgan.data.split import SHARE, random_split, stratified_split
from fractalgan.data.stream import EndlessBatches, StreamPosition
from fractalgan.data.target_choice import TargetChoice
from fractalgan.errors import InputError, require_binarize_level, require_choice
from fractalgan.limits import require_sizes

log = logging.getLogger(__name__)


class ImageData(DataModule):
    """Real images: a data set known by name, or a folder of your own images.

    Batches are ``(images [B, C, size, size] float in [0, 1], labels [B], -1 for none)``, with C = 1 in
    grayscale and C = 3 in color. Training batches are an endless stream: training is counted in steps, not in
    epochs.

    Args:
        name: data set: ``digits`` is part of scikit-learn; ``MNIST``, ``FashionMNIST``, ``KMNIST`` and, in
            color, ``CIFAR10``, ``CIFAR100`` and ``SVHN`` are downloaded on first use; ``folder`` is your own
            images in ``root``.
        root: folder for downloads, by default ``data``; for ``folder``, the folder of the images themselves,
            with one sub-folder per class, or flat, without labels.
        size: height and width in pixels; all images are resized to it.
        channels: 1 reads images in grayscale, 3 in color; ``auto`` in color if at least half of them are.
        background: color that transparent images of your own are put on, such as white or '#ff8000'; null is
            white in color, and in grayscale black or white, which contrasts more.
        batch_size: batch size per process.
        binarize: threshold above which pixels become 1, and 0 below; null keeps all levels. ``auto`` is 0.5
            in grayscale, as fractals without features are nearly binary, so that a discriminator would tell
            other images apart from them at once, and null in color.
        invert: whether to invert grayscale images, for dark drawings on a bright background: fractals are
            drawn bright on dark. ``auto`` inverts your own images if most of them have an outline that is
            mostly bright.
        validation_share: fraction of the training images held out for validation, stratified by class for
            ``folder``.
        test_share: fraction of all images held out for testing, if the data set has no test images,
            stratified by class for ``folder``.
        per_class: number of training images per class; null uses all. Validation and test images stay all.
        exemplars: with ``per_class``, which images of each class are taken, as by TargetData: the first;
            random ones; medoids, those nearest to the centers of k-means clusters; or by herding, those whose
            mean stays nearest to that of the class.
        choice: random seed of the choice of random images and medoids; it does not depend on
            --seed_everything.
        ignore_invalid: whether to skip image files that cannot be read, instead of stopping at the first.
        seed: random seed of the order of training images; defaults to --seed_everything.
    """

    def __init__(
        self,
        name: SourceName = "digits",
        root: str | None = None,
        size: int = 32,
        channels: Channels = "auto",
        background: str | None = None,
        batch_size: int = 100,
        binarize: float | Literal["auto"] | None = "auto",
        invert: Invert = "auto",
        validation_share: float = SHARE,
        test_share: float = SHARE,
        per_class: int | None = None,
        exemplars: Exemplars = "random",
        choice: int = 0,
        ignore_invalid: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_choice(SourceName, name=name)
        require_sizes(size=size, batch_size=batch_size)
        require_binarize_level(None if binarize == "auto" else binarize)
        require_invert(invert)
        require_channels(channels)
        require_background(background, None if name == "folder" else name)
        for option, share in {"validation_share": validation_share, "test_share": test_share}.items():
            if not 0 < share < 0.5:
                raise InputError(f"{option} must be > 0 and < 0.5, got {share}")
        if test_share != SHARE and name in DOWNLOADED:
            raise InputError(
                f"test_share has no effect with --data.name {name}, which has test images: remove it"
            )
        self.source: SourceName = name
        self.root = source_root(name, root)
        self.size = size
        self.batch_size = batch_size
        self.reading = Reading(size, channels, background, ignore_invalid)
        self.binarize = binarize
        self.invert = invert
        self.prepare: Threshold | None = None  # set by setup(), which resolves "auto"
        self.validation_share = validation_share
        self.test_share = test_share
        self.choice = TargetChoice(None, per_class, exemplars, choice)
        require_effect(self.choice)
        self.seed = seed
        self.classes: list[str] = []
        self.total = 0  # images of all splits, set by setup()
        self.train_images: ImageSet | None = None
        self.validation_images: ImageSet | None = None
        self.test_images: ImageSet | None = None

    @property
    def channels(self) -> int | None:
        """The channels of all images, set by ``setup``."""
        return None if self.train_images is None else self.train_images.images.shape[1]

    def source_options(self) -> dict[str, str]:
        """Options that read the same images: those that differ from the defaults, as typed."""
        options = {
            "name": (self.source, "digits"),
            "root": (str(self.root), DEFAULT_ROOT),
            "channels": (str(self.reading.channels), "auto"),
            "background": (self.reading.background or "", ""),
            "invert": (str(self.invert).lower(), "auto"),
            "ignore_invalid": (str(self.reading.ignore_invalid).lower(), "false"),
            "validation_share": (f"{self.validation_share:g}", f"{SHARE:g}"),
            "test_share": (f"{self.test_share:g}", f"{SHARE:g}"),
        }
        return {name: value for name, (value, default) in options.items() if value != default}

    def origin(self) -> dict[str, Any]:
        """What says which images are learned from and which are held out, as plain values."""
        shares = {"validation_share": self.validation_share, "test_share": self.test_share}
        return {"name": self.source, "split": "train", "images": self.total, **shares}

    def prepare_data(self) -> None:
        if self.source in DOWNLOADED:
            fetch(self.source, self.root)

    def setup(self, stage: str | None = None) -> None:
        if self.train_images is not None:
            return
        source = load(self.source, self.root, self.reading)
        self._require_enough(source)
        self.prepare = self._preparation(source)
        train, test = source.train, source.test
        self.total = len(train) + (0 if test is None else len(test))
        if self.source == "folder":
            require_contrast(train.images, self.prepare, self.root)
        split = stratified_split if self.source == "folder" else random_split
        if test is None:
            train, test = split(train, self.test_share)
        train, validation = split(train, self.validation_share)
        if self.choice.per_class is not None:
            train = train.select(self._chosen(train, source.classes))
        for images in (train, validation, test):
            images.prepare = self.prepare
        warn_of_brightness(first_images(1000, train), self.prepare)
        self.classes = source.classes
        self.train_images, self.validation_images, self.test_images = train, validation, test
        if self.source == "folder":
            parts = len(train), len(validation), len(test)
            log.info("%s: %d images to learn from, %d for validation, %d for testing", self.root, *parts)

    def _chosen(self, train: ImageSet, classes: list[str]) -> Tensor:
        """The indices of the training images that are used, those that TargetData takes."""
        assert self.prepare is not None
        # by gray levels, before they are binarized
        levels = ImageSet(train.images, train.labels, self.prepare._replace(binarize=None))
        where = f"the training set of {self.source}"
        return self.choice.of(levels, classes, where, own=self.source == "folder")

    def _preparation(self, source: Source) -> Threshold:
        channels, binarize = source.train.images.shape[1], self.binarize
        explicit = None if binarize == "auto" else binarize
        require_grayscale(channels, self.source, binarize=explicit, invert=self.invert is True)
        inverted = resolve_invert(self.invert, source.bright_background)
        return Threshold(0.5 if binarize == "auto" and channels == 1 else explicit, inverted)

    def _require_enough(self, source: Source) -> None:
        found, needed = len(source.train), 3 if source.test else 5
        if found < needed:
            raise InputError(
                f"found {found} image{'' if found == 1 else 's'} in {self.root}, need at least {needed}:"
                " two each are kept for validation and testing"
            )

    def train_dataloader(self) -> Batches:
        images = self._after_setup(self.train_images)
        position = StreamPosition.of(self.seed, self.trainer)
        return DataLoader(EndlessBatches(images, self.batch_size, position), batch_size=None)

    def val_dataloader(self) -> Batches:
        return DataLoader(self._after_setup(self.validation_images), batch_size=self.batch_size)

    def test_dataloader(self) -> Batches:
        return DataLoader(self._after_setup(self.test_images), batch_size=self.batch_size)

    def sample(self, count: int) -> Tensor:
        validation, train = self._after_setup(self.validation_images), self._after_setup(self.train_images)
        return first_images(count, validation, train)

    def _is_set_up(self) -> bool:
        return self.train_images is not None

    def _facts(self) -> dict[str, object]:
        facts: dict[str, object] = {"name": self.source}
        if self.source != "digits":
            facts["root"] = str(self.root)
        facts |= {"size": self.size, "batch_size": self.batch_size}
        if self.train_images and self.validation_images and self.test_images:
            facts |= {
                "train": len(self.train_images),
                "validation": len(self.validation_images),
                "test": len(self.test_images),
                "classes": len(self.classes),
                "channels": self.train_images.images.shape[1],
                "invert": self.prepare is not None and self.prepare.invert,
            }
        return facts


def require_effect(choice: TargetChoice) -> None:
    """Raise InputError for options of the choice of training images that have no effect."""
    defaults = {"exemplars": choice.exemplars == "random", "choice": choice.seed == 0}
    for option, has_default in defaults.items():
        if choice.per_class is None and not has_default:
            raise InputError(f"{option} needs --data.per_class, the number of training images per class")
    choice.require_effect(own=True)
