"""Backbones against the networks of torchvision and timm that they are made of."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from fractalgan.errors import InputError
from fractalgan.nn import Backbone, make_network
from fractalgan.nn.backbones import _count_features


def with_same_weights(backbone: Backbone, model: nn.Module) -> nn.Module:
    """The library's own model with the weights of a backbone, which must have its names; both become float64.

    In float32, features of the same network differ by some 1e-6 with the order of its sums, which depends on
    where the weights lie in memory.
    """
    model.load_state_dict(backbone.features.state_dict())
    backbone.double()
    return model.double().eval()


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [("vit_tiny_patch16_224", 64, {"img_size": 64}), ("resnet10t", 32, {}), ("convnext_atto", 32, {})],
)
def test_timm_loads_the_weights(name: str, size: int, options: dict) -> None:
    backbone = make_network(f"timm/{name}", 5, size, 3).eval()
    assert isinstance(backbone, Backbone)
    theirs = with_same_weights(backbone, timm.create_model(name, num_classes=0, **options))
    images = torch.rand(2, 3, size, size, dtype=torch.float64)
    torch.testing.assert_close(backbone.embed(images), theirs(images), rtol=1e-12, atol=1e-12)
    assert backbone(images).shape == (2, 5)
    assert backbone.num_features == theirs(images).shape[1]


@pytest.mark.parametrize(
    ("name", "head", "size"),
    [("resnet18", "fc", 32), ("mobilenet_v3_small", "classifier.3", 32), ("regnet_y_400mf", "fc", 32)],
)
def test_torchvision_loads_the_weights(name: str, head: str, size: int) -> None:
    backbone = make_network(name, 5, size, 1).eval()
    assert isinstance(backbone, Backbone)
    model = torchvision.models.get_model(name)
    model.set_submodule(head, nn.Identity())
    gray = torch.rand(2, 1, size, size, dtype=torch.float64)
    expected = with_same_weights(backbone, model)(gray.repeat(1, 3, 1, 1))
    torch.testing.assert_close(backbone.embed(gray), expected, rtol=1e-12, atol=1e-12)


def test_torchvision_vit_is_made_for_the_size() -> None:
    assert make_network("vit_b_32", 3, 64, 1)(torch.rand(1, 1, 64, 64)).shape == (1, 3)


def test_features_are_a_vector_per_image() -> None:
    with pytest.raises(ValueError, match=r"its features of one image have the shape \[1, 4, 6, 6\]"):
        _count_features(nn.Conv2d(3, 4, 3), 8)


def test_counting_features_leaves_batch_norm_alone() -> None:
    backbone = make_network("resnet18", 2, 32, 3)
    norms = [each for each in backbone.modules() if isinstance(each, nn.BatchNorm2d)]
    assert all(each.training and each.num_batches_tracked == 0 for each in norms)


# The number of convolutions in the usual stem of a network.
STEMS = {"resnet18": 1, "densenet121": 1, "timm/resnet10t": 3, "timm/resnetv2_50": 1, "timm/resnetblur18": 1}
STEMS |= {"timm/resnetaa34d": 3}


@pytest.mark.parametrize("name", STEMS)
def test_small_stem_keeps_the_resolution(name: str) -> None:
    """The first convolution sees every pixel, and nothing is pooled before the first block."""
    small, usual = (
        make_network(name, 2, 32, 3, small_stem=each).eval()  # type: ignore[call-arg]
        for each in (True, False)
    )
    convolution = next(each for each in small.modules() if isinstance(each, nn.Conv2d))
    assert (convolution.kernel_size, convolution.stride) == ((3, 3), (1, 1))

    def side_before_second_block(model: nn.Module) -> int:
        sides: list[int] = []
        convolutions = [each for each in model.modules() if isinstance(each, nn.Conv2d)]
        convolutions[STEMS[name]].register_forward_pre_hook(lambda _, args: sides.append(args[0].shape[-1]))
        model(torch.rand(1, 3, 32, 32))
        return sides[0]

    assert side_before_second_block(small) == 32
    assert side_before_second_block(usual) == 8


@pytest.mark.parametrize(
    ("name", "size", "small_stem", "message"),
    [
        ("resnet19", 32, False, "got 'resnet19'; did you mean resnet18 or"),
        ("vit_tiny_patch16_224", 32, False, "did you mean timm/vit_tiny_patch16_224"),
        ("timm/resnet19", 32, False, "got 'timm/resnet19'; did you mean timm/resnet1"),
        ("something", 32, False, "such as timm/vit_tiny_patch16_224, got 'something'$"),
        ("squeezenet1_0", 32, False, "network must end in a linear layer, which squeezenet1_0 does not"),
        ("vit_b_16", 50, False, r"size: vit_b_16 does not take 50 pixels \(Input shape indivisible"),
        (
            "timm/vit_tiny_patch16_224",
            60,
            False,
            r"take 60 pixels \(which its patches of 16 pixels do not di",
        ),
        ("vgg11", 16, False, r"size: vgg11 does not take 16 pixels \(Given input size"),
        ("timm/vit_tiny_patch16_224", 64, True, "which cuts images into patches of 16 pixels, got true"),
        ("vgg11", 32, True, "small_stem must be false for vgg11, which has a small one, got true"),
        (
            "timm/coatnet_nano_rw_224",
            32,
            True,
            "small_stem must be false for timm/coatnet_nano_rw_224, which ne",
        ),
        ("lenet", 32, True, "small_stem must be false for a lenet, which is made for small images, got true"),
    ],
)
def test_what_cannot_be_made_is_named(name: str, size: int, small_stem: bool, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_network(name, 2, size, 1, small_stem=small_stem)


def test_missing_timm_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fractalgan.errors.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"timm, which is missing: pip install 'fractalgan\[backbones\]'"):
        make_network("timm/vit_tiny_patch16_224", 2, 64, 1)
    with pytest.raises(InputError, match="did you mean resnet18"):
        make_network("resnet19", 2, 32, 1)
