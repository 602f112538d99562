"""Which real images are read: a test set must not be, before the test."""

from collections.abc import Callable
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


def assert_test_images_are_read_last(
    monkeypatch: pytest.MonkeyPatch, fit: Callable[[], object], test: Callable[[], object]
) -> None:
    """The fit reads validation images, neither reads test images nor asks for them; the test reads them."""

    def forbidden(_: ImageData) -> None:
        raise AssertionError("the test images were asked for")

    read = ReadImages.watch(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(ImageData, "test_dataloader", forbidden)
        fit()
    assert read.has("validation")
    assert not read.has("test")
    test()
    assert read.has("test")


def assert_run_reads_test_images_last(
    call: Callable[..., int], options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same of the commands `fit` and `test`."""

    def fit() -> None:
        assert call("fit", *options, "--run=mine") == 0

    def test() -> None:
        assert call("test", "--ckpt_path=best", "--run=mine") == 0

    assert_test_images_are_read_last(monkeypatch, fit, test)
