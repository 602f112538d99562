"""Which real images are read: a test set must not be, before the test."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from fractalgan.data import ImageData, ImageSet


@dataclass
class ReadImages:
    """What was set up and read since :meth:`watch`."""

    kept: list[ImageData] = field(default_factory=list)
    sets: set[int] = field(default_factory=set)

    @classmethod
    def watch(cls, monkeypatch: pytest.MonkeyPatch) -> "ReadImages":
        found = cls()
        read, setup = ImageSet.__getitem__, ImageData.setup

        def watched(self: ImageSet, index: Any) -> Any:
            found.sets.add(id(self))
            return read(self, index)

        def remembered(self: ImageData, stage: str | None = None) -> None:
            setup(self, stage)
            found.kept.append(self)

        monkeypatch.setattr(ImageSet, "__getitem__", watched)
        monkeypatch.setattr(ImageData, "setup", remembered)
        return found

    def has(self, split: str) -> bool:
        """Whether images of a split, ``validation`` or ``test``, of the last data were read."""
        return id(getattr(self.kept[-1], f"{split}_images")) in self.sets
