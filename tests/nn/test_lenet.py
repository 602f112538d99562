import pytest
import torch

from fractalgan.errors import InputError
from fractalgan.nn import LeNet


def test_lenet_has_the_size_of_lenet_5() -> None:
    assert sum(p.numel() for p in LeNet(10).parameters()) == 61_706


@pytest.mark.parametrize("size", [16, 17, 28, 32, 64])
def test_features_and_head(size: int) -> None:
    net = LeNet(100, image_size=size)
    images = torch.rand(3, 1, size, size)
    assert net.features(images).shape == (3, 84)
    assert net(images).shape == (3, 100)


def test_images_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="image_size must be >= 16 for a LeNet, got 15"):
        LeNet(1, image_size=15)
