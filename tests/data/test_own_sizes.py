"""The sizes that data sets have before they are resized."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from fractalgan.data import OWN_SIZES, SourceName
from fractalgan.data.downloads import load_downloaded
from fractalgan.data.sources import _digits


def test_own_size_is_that_of_the_files(mnist_like: Callable[[str], Path]) -> None:
    assert set(OWN_SIZES) == set(get_args(SourceName)) - {"folder"}
    assert _digits().train.images.shape[-2:] == (OWN_SIZES["digits"],) * 2
    mnist = load_downloaded("MNIST", mnist_like("MNIST"))
    assert mnist.train.images.shape[-2:] == (OWN_SIZES["MNIST"],) * 2
