"""What all datamodules have in common."""

from abc import ABC, abstractmethod
from typing import TypeVar

from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

Batches = DataLoader[tuple[Tensor, Tensor]]

T = TypeVar("T")


class DataModule(LightningDataModule, ABC):
    """A LightningDataModule with sample images and a description of one line."""

    source: str  # the data set, file or folder that images come from
    size: int  # height and width in pixels

    @abstractmethod
    def sample(self, count: int) -> Tensor:
        """Up to ``count`` images [n, C, size, size] in [0, 1], as a model sees them; the same at every call.

        Validation images come first, then training images.
        """

    @abstractmethod
    def _facts(self) -> dict[str, object]:
        """What ``repr`` shows, by name."""

    @abstractmethod
    def _is_set_up(self) -> bool:
        """Whether ``setup()`` has been called."""

    def _after_setup(self, value: T | None) -> T:
        """A value that ``setup()`` sets. Raises RuntimeError before that."""
        if value is None:
            raise RuntimeError(
                f"{type(self).__name__} has no images yet: call prepare_data() and setup() first,"
                " or pass the datamodule to a Trainer"
            )
        return value

    def __repr__(self) -> str:
        facts = [f"{name}={value!r}" for name, value in self._facts().items()]
        return f"{type(self).__name__}({', '.join(facts if self._is_set_up() else [*facts, 'not set up'])})"

    def __str__(self) -> str:
        return repr(self)
