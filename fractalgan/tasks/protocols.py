"""What tasks and callbacks need of a trainer's data module, without an import of the data modules."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from pytorch_lightning import Trainer
from torch import Tensor

from fractalgan.errors import InputError
from fractalgan.nn import FractalGenerator
from fractalgan.ops import Transforms


class ImageCollection(Protocol):
    """Images with labels: indexing returns ``(images, labels)``."""

    @property
    def labels(self) -> Tensor:
        """[n], -1 where there is none."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> tuple[Tensor, Tensor]: ...


class WithClasses(Protocol):
    """Images, with labels or without."""

    @property
    def source(self) -> str:
        """Where the training images come from."""

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes; empty without labels."""


@runtime_checkable
class WithValidationImages(WithClasses, Protocol):
    """Real images that are not trained on, with labels or without: ``ImageData``, ``TargetData``."""

    @property
    def validation_images(self) -> ImageCollection | None:
        """Set by ``setup``."""


@runtime_checkable
class LabeledImages(WithValidationImages, Protocol):
    """Real images, with labels or without: ``ImageData``."""

    @property
    def train_images(self) -> ImageCollection | None:
        """Set by ``setup``."""


@runtime_checkable
class LabeledBatches(WithClasses, Protocol):
    """Batches of images with classes: ``ImageData``, ``LabeledFractalData``."""

    @property
    def channels(self) -> int | None:
        """The channels of all images, set by ``setup``."""


SUB_FOLDERS = "put the images of each class into a sub-folder of --data.root"


def require_classes(data: WithClasses, needs: str, *otherwise: str) -> None:
    """Raise InputError for data without labels of two classes or more.

    Args:
        data: images, with labels or without.
        needs: what has to have them, such as "LinearProbe needs".
        otherwise: what can be done instead of giving labels to a folder of images.
    """
    number = len(data.classes)
    if number < 2:
        remedies = (SUB_FOLDERS, *otherwise) if data.source == "folder" else otherwise
        found = f"{needs} labels of two or more classes, but {data.source} has {number}"
        raise InputError(f"{found}: {', or '.join(remedies)}" if remedies else found)


MAX_PIXELS = 10_000 * 32 * 32
MIN_IMAGES = 1000


def training_images(data: object, at_most: int | None = None) -> Tensor | None:
    """The images [n, C, H, W] of :func:`labeled_training_images`."""
    found = labeled_training_images(data, at_most)
    return None if found is None else found[0]


def labeled_training_images(data: object, at_most: int | None = None) -> tuple[Tensor, Tensor] | None:
    """The first training images [n, C, H, W] of a data module and their labels [n]; None if it has none.

    By default there are up to 10,000 of 32 x 32 pixels; of larger ones as many numbers, but 1,000 images at
    least.
    """
    if not isinstance(data, LabeledImages) or data.train_images is None:
        return None
    first, _ = data.train_images[:1]
    return data.train_images[: at_most or max(MIN_IMAGES, MAX_PIXELS // first.numel())]


@runtime_checkable
class Targets(Protocol):
    """Images to reconstruct: ``TargetData``."""

    @property
    def source(self) -> str:
        """Where the images come from."""

    @property
    def targets(self) -> Tensor | None:
        """[n, C, H, W], set by ``setup``."""

    @property
    def indices(self) -> Tensor:
        """[n], what the random numbers of each target follow from."""

    @property
    def names(self) -> Sequence[str]:
        """One name per target."""

    @property
    def labels(self) -> Tensor | None:
        """[n], the classes of targets with labels."""

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes; empty without labels."""


@runtime_checkable
class PseudoClasses(Protocol):
    """Images of fractals, each fractal a class: ``FractalData``."""

    @property
    def source(self) -> str:
        """Where the fractals come from."""

    @property
    def num_fractals(self) -> int:
        """J, the number of pseudo-classes."""

    @property
    def generator(self) -> FractalGenerator:
        """What draws the images."""


@runtime_checkable
class RandomFractals(Protocol):
    """Random fractals and their images: ``RandomFractalData``."""

    @property
    def fractals(self) -> Transforms | None:
        """A [J, N, 2, 2] and b [J, N, 2], set by ``setup``."""

    @property
    def num_transforms(self) -> int:
        """N."""

    @property
    def window(self) -> float:
        """Half the side length of the square region of the plane that the images show."""


@runtime_checkable
class NamedSource(Protocol):
    """A data module of real images that the data module of another run can read, too."""

    def source_options(self) -> dict[str, str]:
        """Options that read the same images: those that differ from the defaults, as typed."""


@runtime_checkable
class WithOrigin(Protocol):
    """Real images of a split, which others are held out from: ``ImageData``, ``TargetData``."""

    def origin(self) -> dict[str, Any]:
        """What says which images are learned from and which are held out, as plain values."""


@runtime_checkable
class Sampled(Protocol):
    """A data module that shows what is learned from."""

    def sample(self, count: int) -> Tensor:
        """Up to ``count`` images [n, C, H, W] in [0, 1]."""


@runtime_checkable
class Gallery(Protocol):
    """A task that shows what it has learned."""

    def gallery(self) -> Tensor:
        """Images [n, C, H, W] in [0, 1], from the same random numbers every time."""


def origin_of(data: object) -> Any:
    """Where the images of a data module come from, for files of what is learned from them, or None."""
    return data.origin() if isinstance(data, WithOrigin) else getattr(data, "source", None)


def datamodule_of(trainer: Trainer) -> object:
    """The data module of the trainer, to be checked by ``isinstance``; None for plain loaders."""
    return getattr(trainer, "datamodule", None)
